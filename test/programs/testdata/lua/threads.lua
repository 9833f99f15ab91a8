-- Coroutines share one thread: processes, all at once.
local children = {}
for i = 1, 4 do
  children[i] = assert(io.popen("echo $((" .. i .. " * 250 + 4 * 249 * 250 / 2))"))
end
local sum = 0
for _, child in ipairs(children) do
  sum = sum + tonumber(child:read("*l"))
  child:close()
end
print("sum " .. string.format("%d", sum))
