import core.thread, std.algorithm, std.datetime, std.file, std.format, std.path, std.process, std.socket, std.stdio, std.uni;

void check(bool right, string part)
{
    if (!right)
        throw new Exception(part);
    writeln(part, " ok");
    stdout.flush();
}

bool threads()
{
    int[4] parts;
    Thread start(int i)
    {
        return new Thread({ parts[i] = i; }).start();
    }
    Thread[] all;
    foreach (i; 0 .. 4)
        all ~= start(i);
    foreach (t; all)
        t.join();
    return parts[].sum == 6;
}

bool process()
{
    auto child = execute(["sh", "-c", "echo from a child"]);
    return child.status == 0 && child.output == "from a child\n";
}

bool loopback()
{
    auto listening = new TcpSocket();
    listening.bind(new InternetAddress("127.0.0.1", 0));
    listening.listen(1);
    auto client = new TcpSocket(listening.localAddress);
    auto served = listening.accept();
    served.send("hello");
    char[5] word;
    return client.receive(word[]) == 5 && word == "hello";
}

bool files()
{
    auto name = buildPath(tempDir, "exercise.txt");
    std.file.write(name, "hello");
    auto text = readText(name);
    remove(name);
    return text == "hello" && !exists(name);
}

bool zone()
{
    auto tokyo = PosixTimeZone.getTimeZone("Asia/Tokyo");
    return SysTime.fromUnixTime(1_700_000_000, tokyo).hour == 7;
}

bool memory()
{
    auto block = new ubyte[](96 << 20);
    block[] = 1;
    return block[$ - 1] == 1;
}

void main()
{
    check(threads(), "threads");
    check(process(), "process");
    check(loopback(), "socket");
    check(files(), "file");
    check("é".toUpper == "É", "locale");
    check(zone(), "zone");
    check(memory(), "memory");
}
