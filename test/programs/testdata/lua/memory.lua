local blocks = {}
while true do blocks[#blocks + 1] = string.rep("x" .. #blocks, 1 << 19) end
