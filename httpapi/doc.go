// Package httpapi is Cordon's HTTP API, version 1: routes, JSON types, errors,
// authentication and limits. It knows jobs and their results, and asks for the
// rest through small interfaces.
//
// The way of a request by file: server.go (what is put together) → guard.go
// (recovery, log, token) → admission.go → run.go → decode.go (strict) → job.go
// (request to job) → result.go (result to JSON), with problem.go for everything
// that goes wrong.
package httpapi
