import sys

values = sorted(int(word) for word in sys.stdin.read().split())
print("sum", sum(values))
print("sorted", *values)
with open("out.txt", "w") as out:
    print("count", len(values), file=out)
