local nobody
print(nobody.length)
