// Package queue keeps jobs until they have run, and their results for a while. A job
// that was taken survives the end of the process and of the machine.
//
// Everything is in one journal: an ordered list of messages, each with a subject, of
// which the last one counts. It is a stream of NATS JetStream, in this process or
// elsewhere (see Embedded and Connect), or a map for tests (Memory).
//
//	cordon.q.ID      the job as it was submitted: its record, and the request
//	cordon.j.ID      its record since then, and the result
//	cordon.b.ID.N    parts of a request that is too long for one message; before q
//	cordon.r.ID.N    parts of a result, likewise; before j
//	cordon.i.HASH    which job an Idempotency-Key belongs to; before q
//	cordon.w.ID      what came of telling somebody that the job has ended; after j
//
// A job is queued as soon as q is there, by one write, so there is nothing half
// submitted to mend. Every later step is one write, too, that names the version it
// follows: of two who claim, cancel or expire a job at once one has done it, and the
// other looks again.
//
//	queued ──claim──▶ running ──▶ done | failed | cancelled | interrupted
//	   │ ▲                │
//	   │ └──── retry ─────┘   only where the job is retry_safe
//	   └──▶ cancelled | expired
//
// Whom to tell stands in the record, so that is to be done as soon as j says that the job
// has ended, by that same write. An attempt is written down before it is made, and what
// came of it after that: so it is made at least once, and by one service at a time.
//
// The records, without requests and results, are in memory as well, in an index that
// follows the journal. Requests and results are read when they are needed.
package queue
