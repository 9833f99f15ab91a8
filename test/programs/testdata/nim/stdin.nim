import std/[algorithm, math, sequtils, strutils]

var values = stdin.readAll.splitWhitespace.map(parseInt)
values.sort()
echo "sum ", values.sum
echo "sorted ", values.join(" ")
writeFile("out.txt", "count " & $values.len & "\n")
