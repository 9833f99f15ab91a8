// Failing on purpose, for tests: a build with CORDON_FAILPOINTS (go test -tags
// failpoints) can make any one step fail. Nothing of it is in another build.
#ifdef CORDON_FAILPOINTS
#include "cell.h"

#include <errno.h>

// A test looks for this in the programs that may not have it.
const char cell_failpoints[] __attribute__((used)) = "cordon-failpoints: this build fails on purpose";

static uint32_t armed, hits;
static int error;

// arm_fault reads from a message's flags which step shall fail, with which errno
// and at which try; faults.go writes them.
void arm_fault(int64_t flags)
{
	armed = (uint32_t)(flags >> 8) & 0xff;
	error = (int)(flags >> 16) & 0xff;
	hits = (uint32_t)(flags >> 24) & 0xffff;
}

int fault(uint32_t step)
{
	if (step != armed || hits == 0 || --hits > 0)
		return 0;
	errno = error;
	return 1;
}
#endif
