# Takes what it hears for the answer to what it has just called.
low, high = 1, int(input())
while low < high:
    middle = (low + high) // 2
    print("?", middle, flush=True)
    answer = input()
    if answer == "here":
        low = high = middle
    elif answer == "nearer":
        high = middle - 1
    else:
        low = middle + 1
print("!", max(1, low), flush=True)
