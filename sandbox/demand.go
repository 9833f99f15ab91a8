package sandbox

import (
	"sync"
	"time"
)

// demand learns how many warm cells a kind is worth. A job that finds none makes it
// grow; a time in which some were never touched makes it shrink again.
type demand struct {
	least, most int // what the operator allows
	surplus     func()

	mu     sync.Mutex
	want   int
	low    int         // the fewest that were left since the last review
	review *time.Timer // while there is more than the least; nil: none
}

// reviewEvery is how long cells must have been of no use to be given up.
const reviewEvery = 5 * time.Second

// newDemand: surplus is called when there may be more cells than are wanted.
func newDemand(least, most int, surplus func()) *demand {
	most = max(least, most)
	return &demand{least: least, most: most, surplus: surplus, want: least, low: least}
}

// wanted is how many cells shall wait.
func (d *demand) wanted() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.want
}

// took notes that a job took a cell, and how many were left then.
func (d *demand) took(left int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.low = min(d.low, left)
}

// missed notes that a job found none.
func (d *demand) missed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.low = 0
	d.want = min(d.want+max(1, d.want/2), d.most)
	if d.want > d.least && d.review == nil {
		d.review = time.AfterFunc(reviewEvery, d.reviewed)
	}
}

// reviewed gives up half of what nobody has touched.
func (d *demand) reviewed() {
	if d.shrink() {
		d.surplus()
	}
}

func (d *demand) shrink() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.review == nil { // stopped meanwhile
		return false
	}
	before := d.want
	d.want = max(d.least, d.want-(d.low+1)/2)
	d.low = d.want
	if d.review = nil; d.want > d.least {
		d.review = time.AfterFunc(reviewEvery, d.reviewed)
	}
	return d.want < before
}

// stop ends the reviews.
func (d *demand) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.review != nil {
		d.review.Stop()
		d.review = nil
	}
}
