//go:build failpoints

package sandbox

const withFailpoints = true
