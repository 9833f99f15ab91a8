// Package judge says whether a program's output is the expected one, and what a
// checker's end means.
//
// It is pure: bytes in, an answer out. It makes no system call, keeps nothing between
// two calls, and never panics, whatever the bytes are. Comparing takes time in
// proportion to the outputs, and no copy of them. docs/judging.md tells what each mode
// takes for equal, and where other judges decide otherwise.
package judge
