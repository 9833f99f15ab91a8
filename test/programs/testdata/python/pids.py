import os
import sys
import time

for _ in range(200):
    try:
        pid = os.fork()
    except BlockingIOError:
        print("refused")
        sys.exit(0)
    if pid == 0:
        time.sleep(30)
        os._exit(0)
print("never refused")
sys.exit(1)
