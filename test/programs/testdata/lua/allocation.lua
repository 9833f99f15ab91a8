local blocks = {}
for i = 1, 96 do blocks[i] = string.rep("x", 1024 * 1024 - i) end
print(#blocks .. " blocks")
