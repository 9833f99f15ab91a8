#!/usr/bin/env python3
import re
import sys

text = sys.stdin.read()
match = re.fullmatch(r"([1-9][0-9]{0,3})\n([1-9][0-9]{0,3}(?: [1-9][0-9]{0,3})*)\n", text)
if not match:
    sys.exit("not two lines of numbers")
n, weights = int(match[1]), [int(w) for w in match[2].split(" ")]
if not 1 <= n <= 2000 or len(weights) != n or max(weights) > 1000:
    sys.exit("out of bounds")
sys.exit(42)
