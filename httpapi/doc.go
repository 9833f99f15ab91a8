// Package httpapi is Cordon's HTTP API, version 1: routes, JSON types, errors,
// authentication and limits. It knows jobs and their results, and asks for the
// rest through small interfaces.
//
// The way of a request by file: serve.go (times and listeners) → limited.go (whose
// connection) → strict.go (one reading of its bytes) → server.go (what is put
// together) → guard.go (recovery, log, token) with hosts.go (for us, and from no
// other site) and attempts.go → admission.go → body.go → run.go → decode.go
// (strict) → job.go (request to job) → result.go (result to JSON), with problem.go
// for everything that goes wrong. Files by their content go another way: files.go,
// and pace.go for their times.
package httpapi
