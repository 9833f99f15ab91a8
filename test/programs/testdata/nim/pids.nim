import std/osproc

for i in 1 .. 200:
  try:
    discard startProcess("/bin/sleep", args = ["30"])
  except OSError:
    echo "refused"
    quit(0)
echo "never refused"
quit(1)
