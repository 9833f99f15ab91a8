import asyncio
import datetime
import locale
import multiprocessing
import os
import socket
import subprocess
import tempfile
import threading
import zoneinfo


def check(right, part):
    if not right:
        raise RuntimeError(part)
    print(part, "ok", flush=True)


def threads():
    done = []
    all = [threading.Thread(target=done.append, args=(i,)) for i in range(4)]
    for t in all:
        t.start()
    for t in all:
        t.join()
    return sorted(done) == [0, 1, 2, 3]


def process():
    out = subprocess.run(["sh", "-c", "echo from a child"], capture_output=True, text=True, check=True).stdout
    with multiprocessing.Pool(2) as pool:
        return out == "from a child\n" and pool.map(abs, [-1, -2, -3]) == [1, 2, 3]


async def exchange():
    async def serve(_, writer):
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(serve, "localhost", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection(server.sockets[0].getsockname()[0], port)
    text = await reader.read()
    writer.close()
    server.close()
    return text == b"hello"


def sockets():
    a, b = socket.socketpair()
    # More names than a job may make denied calls.
    for _ in range(1100):
        socket.getaddrinfo("localhost", 80)
    with a, b:
        a.sendall(b"pair")
        return b.recv(4) == b"pair" and asyncio.run(exchange())


def file():
    with tempfile.TemporaryDirectory() as dir, tempfile.NamedTemporaryFile("w+", dir=dir) as f:
        f.write("hello")
        f.seek(0)
        return f.read() == "hello" and os.listdir(dir) == [os.path.basename(f.name)]


def localised():
    return locale.setlocale(locale.LC_ALL, "") != "C" and locale.strxfrm("é") != "" and "é".upper() == "É"


def zone():
    tokyo = zoneinfo.ZoneInfo("Asia/Tokyo")
    return datetime.datetime.fromtimestamp(1700000000, tokyo).isoformat() == "2023-11-15T07:13:20+09:00"


def memory():
    block = bytearray(b"\1") * (96 << 20)
    return block[-1] == 1


if __name__ == "__main__":
    check(threads(), "threads")
    check(process(), "process")
    check(sockets(), "socket")
    check(file(), "file")
    check(localised(), "locale")
    check(zone(), "zone")
    check(memory(), "memory")
