// The way into the child side: a constructor runs before the Go runtime exists,
// as in runc's nsexec. Started under the name "cordon-cell" the process becomes
// the fork server and never returns to Go.
#define _GNU_SOURCE
#include "cell.h"

#include <string.h>

__attribute__((constructor)) static void cordon_enter(int argc, char **argv)
{
	if (argc > 0 && argv && argv[0] && strcmp(argv[0], "cordon-cell") == 0)
		server_main();
}
