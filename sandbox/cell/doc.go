// Package cell is the child side of a sandbox and the protocol to it.
//
// The C files are what runs between the daemon and the job: the fork server of
// one root template (server.c), the init of each single-use cell (init.c) and
// the job's process until execve (job.c). They take over from a constructor when
// the binary is started under the name "cordon-cell" (enter.c), before the Go
// runtime exists: a cell then clones from a process of a few pages.
//
// The Go files start the server and speak the protocol that protocol.go draws.
package cell

// #cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wconversion -Werror -fstack-protector-strong -D_FORTIFY_SOURCE=2
// #cgo failpoints CFLAGS: -DCORDON_FAILPOINTS
import "C"
