#!/usr/bin/env python3
"""Writes data/secret. It gives the same files each time: it has its own random numbers."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))


class Numbers:
    def __init__(self, seed):
        self.state = seed

    def upto(self, low, high):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return low + (self.state >> 33) % (high - low + 1)


def solve(weights):
    """The smallest greatest lean, by trying every limit: slow and plain."""
    limit = (max(weights) + 1) // 2
    while True:
        leans = {0}
        for w in weights:
            leans = {x for d in leans for x in (d - w, d + w) if -limit <= x <= limit}
            if not leans:
                break
        else:
            return limit
        limit += 1


def write(folder, name, about, weights):
    base = os.path.join(HERE, "..", "data", folder, name)
    with open(base + ".in", "w") as f:
        f.write(f"{len(weights)}\n{' '.join(map(str, weights))}\n")
    with open(base + ".ans", "w") as f:
        f.write(f"{solve(weights)}\n")
    with open(base + ".desc", "w") as f:
        f.write(about + "\n")


rnd = Numbers(20)
some = lambda n, low, high: [rnd.upto(low, high) for _ in range(n)]

write("sample", "1", "Two crates", [2, 4])
write("sample", "2", "The lighter side is not always the right one", [3, 3, 5, 5, 9])
write("sample", "3", "One crate", [7])

write("secret", "01-one", "The smallest input", [1])
write("secret", "02-equal", "Equal weights, an odd number of them", [1000] * 9)
write("secret", "03-order", "A heavy crate at the end", [1, 1, 1, 1, 1, 1, 1, 1000])
write("secret", "04-heavy-first", "A heavy crate at the beginning", [1000, 1, 1, 1, 1, 1])
write("secret", "05-small", "Small numbers", some(12, 1, 9))
write("secret", "06-pairs", "Pairs that undo one another", [w for w in some(30, 1, 1000) for _ in (0, 1)])
write("secret", "07-trap", "Small crates have to make room for big ones", [w for _ in range(20) for w in (5, 5, 5, 5, 20)])
write("secret", "08-random", "Random", some(60, 1, 1000))
write("secret", "09-even", "Even weights only", [2 * w for w in some(200, 1, 500)])
write("secret", "10-two-kinds", "Two weights", [(999, 1000)[b] for b in some(500, 0, 1)])
write("secret", "11-growing", "Growing weights", list(range(1, 1001)))
write("secret", "12-falling", "Falling weights", list(range(1000, 0, -1)))
write("secret", "13-many-light", "As many crates as there may be, light", some(2000, 1, 3))
write("secret", "14-many-heavy", "As many crates as there may be, heavy", some(2000, 500, 1000))
write("secret", "15-many", "As many crates as there may be", some(2000, 1, 1000))
write("secret", "16-most", "The largest sum", [1000] * 2000)
