import std/os

let values = @[1, 2, 3]
echo values[paramCount() + 9]
