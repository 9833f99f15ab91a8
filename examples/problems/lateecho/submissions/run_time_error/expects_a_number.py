# Reads the answers as numbers, and meets a word.
low, high = 1, int(input())
while low < high:
    middle = (low + high) // 2
    print("?", middle, flush=True)
    answer = int(input())
    low, high = (low, middle - 1) if answer < 0 else (middle + 1, high)
print("!", low, flush=True)
