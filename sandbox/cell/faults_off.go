//go:build !failpoints

package cell

// Nothing fails on purpose in this build: see faults.go.

func failing(point) error  { return nil }
func templateFault() int64 { return 0 }
func cellFault() int64     { return 0 }
