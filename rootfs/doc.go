// Package rootfs says what a job sees as "/": it turns the granted root into two
// lists of operations, one for the fork server of the root (the template, built
// once) and one for each cell (its own /proc and scratch). It only looks at the
// host and computes; the child side carries the lists out.
package rootfs
