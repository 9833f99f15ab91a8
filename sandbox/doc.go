// Package sandbox is the core: a Job and its Grant become a Spec, the Spec runs
// in single-use cells, and what was observed becomes a Result.
//
// The way of a job by file: job.go (what came in) → spec.go (resolved, immutable)
// → runner.go (build, then run) → step.go (one cell from limits to account) →
// pool.go (warm cells) → watch.go (limits while it runs) → output.go, collect.go
// (what it left) → evidence.go → verdict.go (one pure function) → result.go.
package sandbox
