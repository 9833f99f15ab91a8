package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"cordon/client"
)

// jobProgress is one line on a terminal about a job: its state, since when, and what it
// uses. Elsewhere it is nothing.
type jobProgress struct {
	mu      sync.Mutex
	to      io.Writer
	columns int // 0: not a terminal, or nobody wants to see it
	bold    bool
	now     func() time.Time

	job   *client.JobStatus
	since time.Time // of the state, by the clock of this machine
	usage *client.UsageSample
	shown bool
	amid  bool // of a line of output, which is not to be drawn over
}

func newJobProgress(w io.Writer, quiet bool) *jobProgress {
	p := &jobProgress{to: w, now: time.Now, bold: os.Getenv("NO_COLOR") == ""}
	if columns, ok := terminal(w); ok && !quiet && os.Getenv("TERM") != "dumb" {
		p.columns = columns
	}
	return p
}

// start has the line drawn anew each second, until stop takes it away.
func (p *jobProgress) start() (stop func()) {
	if p.columns == 0 {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.redraw()
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-gone
		p.mu.Lock()
		defer p.mu.Unlock()
		p.clear()
	}
}

func (p *jobProgress) state(j *client.JobStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.job, p.since, p.usage = j, p.now(), nil
	p.draw()
}

func (p *jobProgress) used(u *client.UsageSample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.usage = u
	p.draw()
}

func (p *jobProgress) redraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw()
}

// print takes the line away and prints something else. The line comes again when it is
// drawn the next time, unless that would be amid a line of what was printed.
func (p *jobProgress) print(to io.Writer, text []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.amid = len(text) > 0 && text[len(text)-1] != '\n'
	_, err := to.Write(text)
	return err
}

// clear is called with mu held.
func (p *jobProgress) clear() {
	if p.shown {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.shown = false
	}
}

// draw is called with mu held.
func (p *jobProgress) draw() {
	if p.columns == 0 || p.job == nil || p.amid {
		return
	}
	state, rest := string(p.job.State), p.line()
	if most := p.columns - 1 - len(state); len([]rune(rest)) > most {
		rest = string([]rune(rest)[:max(most, 0)]) // a line that wraps could not be taken away
	}
	if p.bold {
		state = "\x1b[1m" + state + "\x1b[0m"
	}
	fmt.Fprint(p.to, "\r\x1b[K"+state+rest)
	p.shown = true
}

// line is what stands behind the state.
func (p *jobProgress) line() string {
	parts := []string{"", p.now().Sub(p.since).Round(time.Second).String()}
	if p.job.Attempts > 1 {
		parts = append(parts, fmt.Sprintf("attempt %d", p.job.Attempts))
	}
	if u := p.usage; u != nil {
		parts = append(parts, "cpu "+time.Duration(u.CPUNs).Round(10*time.Millisecond).String(), "memory "+size(u.MemoryPeakBytes).String())
	}
	return strings.Join(parts, " · ")
}
