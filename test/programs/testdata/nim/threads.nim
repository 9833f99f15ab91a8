var sums: array[1 .. 4, int]
var threads: array[1 .. 4, Thread[int]]

proc add(first: int) {.thread.} =
  for n in countup(first, 1000, 4):
    sums[first] += n

for i in 1 .. 4:
  createThread(threads[i], add, i)
joinThreads(threads)
echo "sum ", sums[1] + sums[2] + sums[3] + sums[4]
