local values, sum = {}, 0
for word in io.read("a"):gmatch("%S+") do
  local v = math.tointeger(tonumber(word))
  values[#values + 1] = v
  sum = sum + v
end
table.sort(values)
print("sum " .. sum)
print("sorted " .. table.concat(values, " "))
local out = assert(io.open("out.txt", "w"))
out:write("count " .. #values .. "\n")
out:close()
