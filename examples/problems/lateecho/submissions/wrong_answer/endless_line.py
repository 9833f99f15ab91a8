# A line that does not end.
import os

try:
    while True:
        os.write(1, b"? " + b"1" * 4096)
except BrokenPipeError:
    os._exit(0)
