package queue

import "time"

// briefFor is how long the record of a job stays whose client waited for the result. The
// service that has handed it over removes it; the others are not told of that.
const briefFor = time.Minute

// read are such records that have been there for so long.
func (x *index) read(now time.Time) (out []*entry) {
	for len(x.brief) > 0 {
		e := x.brief[0]
		if x.jobs[e.ID] == e {
			if now.Sub(e.Finished) < briefFor || e.version > x.seen {
				break
			}
			out = append(out, e)
		}
		x.brief[0] = nil
		x.brief = x.brief[1:]
	}
	return out
}
