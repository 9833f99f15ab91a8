print("never printed")
local = 3
