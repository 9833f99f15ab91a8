// Package bench measures what a job costs through the whole service, next to what
// the same program costs without a sandbox and in other sandboxes, in the same run
// and in turns: only the ratios mean anything on another machine.
//
// The service is a child process, reached over HTTP as its users reach it; what
// sends the jobs is kept small, because it has the same processors.
package bench
