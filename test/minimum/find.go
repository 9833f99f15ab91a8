package main

import "fmt"

// rounds is how often in a row a job has to end well before a limit counts as
// enough: how many threads a runtime has at once is a matter of luck. On the way
// there two will do.
const rounds = 10

// greeting is what every language's smallest program prints.
const greeting = "Hello, world!\n"

// need is what one step takes.
type need struct {
	memoryMiB, pids, cpuNanos int64
}

// minimum is what a language takes.
type minimum struct {
	language language
	build    *need // nil without a build step
	run      need
}

// find looks for the least limits of each kind, the others being ample.
func find(s *service, l language, source string) (*minimum, error) {
	ample := limits{memoryMiB: 2048, pids: 512}
	build, run, err := s.usage(l, source, ample)
	if err != nil {
		return nil, err
	}
	m := &minimum{language: l, run: run}
	err = m.run.narrow(ample, func(tried limits) (bool, error) { return s.works(l, source, ample, tried) })
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	if len(l.Build) == 0 {
		return m, nil
	}
	m.build = &build
	err = m.build.narrow(ample, func(tried limits) (bool, error) { return s.works(l, source, tried, ample) })
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	return m, nil
}

// narrow makes memory and pids as small as works lets them be, beginning with what
// was used under ample limits. A runtime of several threads gets one more.
func (n *need) narrow(ample limits, works func(limits) (bool, error)) error {
	used := n.pids
	always := func(tried limits, times int) (bool, error) {
		for range times {
			if ok, err := works(tried); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	for _, kind := range []struct {
		name   string
		value  *int64
		most   int64
		limits func(int64) limits
	}{
		{"memory", &n.memoryMiB, ample.memoryMiB, func(v int64) limits { return limits{v, ample.pids} }},
		{"pids", &n.pids, ample.pids, func(v int64) limits { return limits{ample.memoryMiB, v} }},
	} {
		found, err := least(*kind.value, kind.most, func(v int64) (bool, error) { return always(kind.limits(v), 2) })
		for ; err == nil; found++ {
			var ok bool
			if ok, err = always(kind.limits(found), rounds); ok {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		*kind.value = found
	}
	// How many threads a runtime has depends on what else the machine does; one that
	// has no second never gets one.
	if n.pids = max(n.pids, used); n.pids > 1 {
		n.pids++
	}
	return nil
}

// least is the smallest value from 1 that is enough, found by bisection: guess is
// where it begins, and more than most is not tried.
func least(guess, most int64, enough func(int64) (bool, error)) (int64, error) {
	low, high := int64(0), max(1, guess) // low is not enough
	for {
		ok, err := enough(high)
		if err != nil {
			return 0, err
		}
		if ok {
			break
		}
		if high >= most {
			return 0, fmt.Errorf("%d is not enough", most)
		}
		low, high = high, min(2*high, most)
	}
	for high-low > 1 {
		middle := (low + high) / 2
		ok, err := enough(middle)
		if err != nil {
			return 0, err
		}
		if ok {
			high = middle
		} else {
			low = middle
		}
	}
	return high, nil
}
