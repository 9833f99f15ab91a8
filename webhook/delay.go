package webhook

import (
	"math/rand/v2"
	"time"
)

const (
	firstDelay = 5 * time.Second
	delayGrows = 5
	longest    = 4 * time.Hour
)

// Delay is how long to wait behind an attempt, counted from 1, that has failed: about 5 s,
// 25 s, 2, 10 and 50 minutes, and then 4 hours each; by half more or less, so that those
// that failed together do not come together again. Libraries for this hold in memory how
// far they have come; here that is the number of the attempt, which outlasts a restart.
func Delay(attempt int) time.Duration {
	d := firstDelay
	for range attempt - 1 {
		if d = min(d*delayGrows, longest); d == longest {
			break
		}
	}
	return d/2 + rand.N(d)
}
