import core.volatile;

__gshared uint n;

void main()
{
    for (;;)
        volatileStore(&n, volatileLoad(&n) + 1);
}
