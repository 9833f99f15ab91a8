//go:build !failpoints

package sandbox

// Nothing fails on purpose in this build: see faults.go.

func failing(step) error { return nil }
func dropping(*warm)     {}
