# Each crate goes to the lighter side.
input()
lean, greatest, sides = 0, 0, []
for w in map(int, input().split()):
    side = "L" if lean <= 0 else "R"
    lean += w if side == "L" else -w
    greatest = max(greatest, abs(lean))
    sides.append(side)
print(greatest)
print("".join(sides))
