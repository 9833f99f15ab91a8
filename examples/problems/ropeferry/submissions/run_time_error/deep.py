# One call for each crate: Python ends that at a depth of a thousand.
import sys

sys.setrecursionlimit(1000)


def load(weights, i, now, limit):
    """The lean at the end and the sides from crate i on; None where the rope does not hold."""
    if not now:
        return None
    if i == len(weights):
        return now.bit_length() - 1, ""
    w = weights[i]
    then = ((now << w) | (now >> w)) & ((1 << (2 * limit + 1)) - 1)
    rest = load(weights, i + 1, then, limit)
    if rest is None:
        return None
    at, sides = rest
    if at >= w and now >> (at - w) & 1:
        return at - w, "L" + sides
    return at + w, "R" + sides


input()
weights = list(map(int, input().split()))
low, high = (max(weights) + 1) // 2, max(weights)
while low < high:
    middle = (low + high) // 2
    if load(weights, 0, 1 << middle, middle):
        high = middle
    else:
        low = middle + 1
print(low)
print(load(weights, 0, 1 << low, low)[1])
