// Package verify runs the corpus of test/victims as real jobs through a real
// service that it starts for that, and says for each row whether it was
// contained. It watches the service from outside, as the service's user: after
// every row nothing may be left of the job.
package verify
