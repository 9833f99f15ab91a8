blocks = [b"x" * (1 << 20) for _ in range(96)]
print(len(blocks), "blocks")
