# Solves small inputs, and looks for the end of larger ones where it never comes.
from itertools import accumulate, product

n = int(input())
weights = list(map(int, input().split()))
while n > 20:
    n = max(n, 21)
lean = lambda signs: max(map(abs, accumulate(s * w for s, w in zip(signs, weights))))
best = min(product((1, -1), repeat=n), key=lean)
print(lean(best))
print("".join("L" if s == 1 else "R" for s in best))
