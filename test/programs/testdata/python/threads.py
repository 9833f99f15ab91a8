import threading

sums = []


def add(first):
    sums.append(sum(range(first, 1001, 4)))


threads = [threading.Thread(target=add, args=(i,)) for i in range(1, 5)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("sum", sum(sums))
