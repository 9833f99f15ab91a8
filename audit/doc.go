// Package audit writes down who had what done: one line of JSON for each decision that
// matters, into a file that nobody else writes to.
//
// A line is not lost unseen. Who adds one goes on when the kernel has it, so it outlasts
// the death of the process; it is forced to the disk within a second. When the file
// cannot be written lines wait in memory, bounded, and Admit says that no new work may be
// taken until it can. Lines have numbers without gaps within a start of the service.
package audit
