# Which leans can be reached is one big number: bit d + limit stands for lean d.
def reach(weights, limit):
    every = (1 << (2 * limit + 1)) - 1
    steps = [1 << limit]
    for w in weights:
        now = steps[-1]
        now = ((now << w) | (now >> w)) & every
        if not now:
            return None
        steps.append(now)
    return steps


def main():
    input()
    weights = list(map(int, input().split()))
    low, high = (max(weights) + 1) // 2, max(weights)
    while low < high:
        middle = (low + high) // 2
        if reach(weights, middle):
            high = middle
        else:
            low = middle + 1
    steps = reach(weights, low)
    at = steps[-1].bit_length() - 1
    sides = []
    for w, before in zip(reversed(weights), reversed(steps[:-1])):
        if at >= w and before >> (at - w) & 1:
            at -= w
            sides.append("L")
        else:
            at += w
            sides.append("R")
    print(low)
    print("".join(reversed(sides)))


main()
