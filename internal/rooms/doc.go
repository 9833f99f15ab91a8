// Package rooms holds the house together: the table of which folder may import
// what, with a reason each, and a test that reads every source against it. See
// docs/architecture.md.
package rooms
