# Waits for a second answer to one call: both sides wait for ever.
low, high = 1, int(input())
while low < high:
    middle = (low + high) // 2
    print("?", middle, flush=True)
    input()
    answer = input()
    if answer == "here":
        low = high = middle
    elif answer == "nearer":
        high = middle - 1
    else:
        low = middle + 1
print("!", low, flush=True)
