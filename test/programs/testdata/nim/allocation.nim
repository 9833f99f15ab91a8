var blocks: seq[string]
for i in 1 .. 96:
  var piece = newString(1 shl 20)
  for at in countup(0, piece.high, 4096):
    piece[at] = 'x'
  blocks.add(move(piece))
echo blocks.len, " blocks"
