import core.atomic, core.thread, std.stdio;

shared long sum;

void add(int first)
{
    for (int n = first; n <= 1000; n += 4)
        atomicOp!"+="(sum, n);
}

Thread start(int first)
{
    return new Thread({ add(first); }).start();
}

void main()
{
    Thread[] threads;
    foreach (i; 1 .. 5)
        threads ~= start(i);
    foreach (t; threads)
        t.join();
    writeln("sum ", atomicLoad(sum));
}
