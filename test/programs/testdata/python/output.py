while True:
    print("0123456789abcdef")
