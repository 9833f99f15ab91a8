package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// judgeProgress tells how far a run is: one line that changes on a terminal, and
// elsewhere a line for each submission that is through.
type judgeProgress struct {
	mu       sync.Mutex
	to       io.Writer
	terminal bool
	columns  int
	quiet    bool

	through, total int
	running        []*underway
}

type underway struct {
	name     string
	ran, all int
}

func newProgress(w io.Writer, quiet bool) *judgeProgress {
	p := &judgeProgress{to: w, quiet: quiet}
	p.columns, p.terminal = terminal(w)
	return p
}

// terminal says whether it is one, and how wide: 80 where it does not say.
func terminal(w io.Writer) (columns int, ok bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return 80, true
	}
	return int(size.Col), true
}

// say shows what is done before there is anything to judge.
func (p *judgeProgress) say(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(what)
}

func (p *judgeProgress) expect(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += n
}

func (p *judgeProgress) begin(name string, cases int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, &underway{name, 0, cases})
	p.line()
}

// ran: one more case is through.
func (p *judgeProgress) ran(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.running {
		if u.name == name {
			u.ran++
		}
	}
	p.line()
}

func (p *judgeProgress) end(t *trial) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = slices.DeleteFunc(p.running, func(u *underway) bool { return u.name == t.Name })
	p.through++
	if !p.terminal && !p.quiet {
		fmt.Fprintf(p.to, "[%d/%d] %s: %s\n", p.through, p.total, t.Name, t.told())
	}
	p.line()
}

// line shows which case of which submission is run.
func (p *judgeProgress) line() {
	parts := []string{fmt.Sprintf("[%d/%d]", min(p.through+1, p.total), p.total)}
	for _, u := range p.running {
		parts = append(parts, fmt.Sprintf("%s, case %d of %d", strings.TrimPrefix(u.name, "submissions/"), min(u.ran+1, u.all), u.all))
	}
	p.show(strings.Join(parts, "  "))
}

// show replaces the line; it never wraps, because then it could not be taken away.
func (p *judgeProgress) show(line string) {
	if !p.terminal || p.quiet {
		return
	}
	if most := p.columns - 1; len(line) > most && most > 0 {
		line = line[:most]
	}
	fmt.Fprint(p.to, "\r\x1b[K"+line)
}

// clear takes the line away.
func (p *judgeProgress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show("")
}
