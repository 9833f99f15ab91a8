//go:build !failpoints

package sandbox

const withFailpoints = false
