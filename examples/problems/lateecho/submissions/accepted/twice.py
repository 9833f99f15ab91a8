# Calls each number twice: the second answer is about the first call.
def call(q):
    for _ in range(2):
        print("?", q, flush=True)
        answer = input()
    return answer


low, high = 1, int(input())
while low < high:
    middle = (low + high) // 2
    answer = call(middle)
    if answer == "here":
        low = high = middle
    elif answer == "nearer":
        high = middle - 1
    else:
        low = middle + 1
print("!", low, flush=True)
