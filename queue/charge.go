package queue

// ran tells of an attempt that was made elsewhere, when the record has what it has used:
// each attempt once, though a record has the CPU time of all. Those of this start its own
// service charges when they end, whoever ends the job.
func (q *Queue) ran(before, now *Record) {
	if q.config.Ran == nil {
		return
	}
	of := now
	if now.Worker == "" { // it waits again: whose attempt it was is what was known before
		of = before
	}
	if of.Worker == q.config.Worker && of.Boot == q.config.Boot {
		return
	}
	cpu := now.CPU - before.CPU
	switch {
	case now.State.Final() && !now.Started.IsZero():
		q.config.Ran(now.Tenant, cpu, now.Finished.Sub(now.Started), q.now().Sub(now.Finished))
	case cpu > 0: // it is to be made again
		q.config.Ran(now.Tenant, cpu, 0, 0)
	}
}
