import std/[net, os, osproc, strutils, times, unicode]

proc check(right: bool, part: string) =
  doAssert right, part
  echo part, " ok"
  stdout.flushFile

var parts: array[4, int]
var all: array[4, Thread[int]]

proc add(i: int) {.thread.} =
  parts[i] = i

for i in 0 .. 3:
  createThread(all[i], add, i)
joinThreads(all)
check(parts[0] + parts[1] + parts[2] + parts[3] == 6, "threads")

let child = execCmdEx("echo from a child")
check(child.exitCode == 0 and child.output == "from a child\n", "process")

let listening = newSocket()
listening.bindAddr(Port(0), "127.0.0.1")
listening.listen()
let client = newSocket()
client.connect("127.0.0.1", listening.getLocalAddr()[1])
var served: Socket
listening.accept(served)
served.send("hello")
check(client.recv(5) == "hello", "socket")

let name = getTempDir() / "exercise.txt"
writeFile(name, "hello")
let text = readFile(name)
removeFile(name)
check(text == "hello" and not fileExists(name), "file")

check(unicode.toUpper("é") == "É", "locale")
check(abs(local(fromUnix(1_700_000_000)).utcOffset) <= 14 * 3600, "zone") # no zone by name

var sum = 0
var data = newSeq[byte](96 shl 20)
for at in countup(0, data.high, 4096):
  data[at] = 1
  inc sum, data[at].int
check(sum == 96 * 256, "memory")
