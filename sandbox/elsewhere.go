package sandbox

import "cordon/userns"

// PromiseElsewhere is Promise for a service that runs no jobs: what its policies say of a job.
// Whether there is as much is known where it runs, and so is how many cores there are.
func PromiseElsewhere(policies Policies, job *Job) (Promise, error) {
	r := &Runner{config: Config{Policies: policies, Ranges: &userns.Ranges{}}, cores: make(chan int, mostCores)}
	s, err := r.resolve(job)
	if err != nil {
		return Promise{}, err
	}
	want := r.want(s, append(s.builds(), s.runs()...))
	return Promise{want.Memory, want.CPUs}, nil
}

// mostCores is more than a job can ask for.
const mostCores = 64
