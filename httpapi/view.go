package httpapi

import "cordon/sandbox"

// views has a job note what its result is to show.
func views(j *sandbox.Job, r *RunRequest) *Problem {
	for _, one := range []struct {
		field string
		asked bool
	}{{"timeline", r.Timeline}, {"inspect", r.Inspect}} {
		if one.asked {
			if p := single(r, one.field); p != nil {
				return p
			}
		}
	}
	if j.Inspect = r.Inspect; r.Timeline {
		j.Timeline, j.KeepTimeline = &sandbox.Timeline{}, true
	}
	return nil
}

// single wants a job with one program that runs once.
func single(r *RunRequest, field string) *Problem {
	if len(r.Tests) > 0 || len(r.Programs) > 0 || r.Interactor != nil || r.Measure != nil {
		return problem(CodeInvalidField, field, "given together with tests, programs, an interactor or measure; it is about a single program that runs once: leave it out, or ask for that")
	}
	return nil
}
