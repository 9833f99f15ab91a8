#!/usr/bin/env python3
"""Writes data/secret and data/sample. An input is the length and the place; place 0 is an echo that moves."""
import os

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")


def write(folder, name, about, length, place):
    base = os.path.join(DATA, folder, name)
    for ending, text in (("in", f"{length} {place}"), ("ans", place or "moves"), ("desc", about)):
        with open(f"{base}.{ending}", "w") as f:
            f.write(f"{text}\n")


def talk(name, length, place, calls):
    """A conversation to show: the calls, with a throwaway call behind the last, and the place."""
    lines, before = [f"<{length}"], None
    for q in calls:
        answer = "silence" if before is None else "nearer" if place < before else "further" if place > before else "here"
        lines += [f">? {q}", f"<{answer}"]
        before = q
    with open(os.path.join(DATA, "sample", name + ".interaction"), "w") as f:
        f.write("\n".join(lines + [f">! {place}"]) + "\n")


write("sample", "1", "A short canyon", 10, 7)
talk("1", 10, 7, [5, 8, 7, 7])
write("sample", "2", "One place only", 1, 1)
talk("2", 1, 1, [])
write("sample", "3", "The echo is at the end", 3, 3)
talk("3", 3, 3, [2, 2])

top = 10**9
write("secret", "01-one", "One place, no call needed", 1, 1)
write("secret", "02-first-of-two", "The first of two", 2, 1)
write("secret", "03-last-of-two", "The last of two", 2, 2)
write("secret", "04-hundred", "Fewer places than calls cannot be tried one by one", 100, 99)
write("secret", "05-first", "The first place", top, 1)
write("secret", "06-last", "The last place", top, top)
write("secret", "07-middle", "Where a bisection begins", top, top // 2)
write("secret", "08-middle-again", "Just behind it", top, top // 2 + 1)
write("secret", "09-power", "A power of two", 2**29, 2**28)
write("secret", "10-before-power", "One less than a power of two", 2**29 - 1, 2**29 - 1)
write("secret", "11-odd", "Nothing special", 987654321, 123456789)
write("secret", "12-thirds", "A third", top, top // 3)
write("secret", "13-moves-three", "An echo that moves, in a short canyon", 3, 0)
write("secret", "14-moves-thousand", "An echo that moves", 1000, 0)
write("secret", "15-moves", "An echo that moves, in the longest canyon", top, 0)
