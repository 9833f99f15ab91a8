nobody = None
print(nobody.length)
