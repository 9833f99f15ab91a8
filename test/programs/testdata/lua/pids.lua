-- popen keeps each child alive: it waits for its standard input to end.
local children = {}
for i = 1, 200 do
  local ok, child = pcall(io.popen, "exec sleep 30", "w")
  if not ok or not child then
    print("refused")
    os.exit(0)
  end
  children[i] = child
end
print("never refused")
os.exit(1)
