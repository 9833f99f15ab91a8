// Package builds keeps what builds have left, by content: the same source, built in
// the same way, is built once. What is kept lies in a directory of the service as it
// was left, and is shown to cells from there, read-only, without being copied again.
//
// Nothing outlives the service: a cache that is empty at the start holds nothing
// half-written, and nothing of another version.
package builds
