local function check(right, part)
  if not right then error(part) end
  print(part .. " ok")
end

local child = assert(io.popen("echo from a child"))
check(child:read("a") == "from a child\n" and child:close() and os.execute("true"), "process")

local name = os.tmpname()
local out = assert(io.open(name, "w"))
out:write("hello")
out:close()
check(io.open(name):read("a") == "hello" and os.remove(name), "file")

check(os.setlocale("") == "C.UTF-8" and utf8.len("é") == 1, "locale")

-- No zone by name: there and back by the local one.
check(os.time(os.date("*t", 1700000000)) == 1700000000, "zone")

check(#string.rep("x", 96 << 20) == 96 << 20, "memory")
