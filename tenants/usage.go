package tenants

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// UsageName is the name of the file with what was charged, in the state directory.
const UsageName = "tenant-usage.json"

// saveAfter is how much CPU time's account a service may lose that is killed: what was
// charged in so long. To write it down with each job would cost more than the job.
const saveAfter = 5 * time.Second

// mostNanos keeps the sum of an hour a number.
const mostNanos = 1e17

// charged is the file: minute since 1970 to nanoseconds, by tenant.
type charged map[string]map[int64]int64

// Saved is a Meter whose charges outlast the service. One that was killed has lost those
// of its last seconds.
type Saved struct {
	*Meter
	name  string
	log   *slog.Logger
	timer *time.Timer // runs when there is something to be saved
	mu    sync.Mutex  // one who saves at a time
	told  bool
}

// OpenMeter reads what an earlier start has charged. A file that cannot be read is told,
// and nothing was charged then: nobody is kept out for it.
func OpenMeter(name string, log *slog.Logger) *Saved {
	s := &Saved{Meter: NewMeter(), name: name, log: log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.load(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("what tenants have used before this start cannot be read: nothing of it is charged", "file", name, "error", err)
	}
	running := false // mu of the Meter
	s.timer = time.AfterFunc(time.Hour, func() {
		s.Meter.mu.Lock()
		running = false
		s.Meter.mu.Unlock()
		s.save()
	})
	s.timer.Stop()
	s.dirty = func() {
		if !running {
			running = true
			s.timer.Reset(saveAfter)
		}
	}
	return s
}

func (s *Saved) load() error {
	f, err := os.Open(s.name)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes))
	if err != nil {
		return err
	}
	return s.Meter.take(text)
}

// take reads what save has written.
func (m *Meter) take(text []byte) error {
	var c charged
	in := json.NewDecoder(bytes.NewReader(text))
	if err := in.Decode(&c); err != nil {
		return err
	}
	for tenant, minutes := range c {
		if err := CheckName(tenant); err != nil {
			return err
		}
		for minute, nanos := range minutes {
			if minute < 0 || nanos < 0 || nanos > mostNanos {
				return fmt.Errorf("%s: minute %d has %d ns; neither may be below 0, and no minute has more than %d", tenant, minute, nanos, int64(mostNanos))
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().Unix() / int64(slot/time.Second)
	for tenant, minutes := range c {
		for minute, nanos := range minutes {
			if counts(minute, now) {
				m.of(tenant).cpu[minute%cpuSlots] = cpuSlot{minute, nanos}
			}
		}
	}
	return nil
}

// charges are those of the last hour.
func (m *Meter) charges() charged {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().Unix() / int64(slot/time.Second)
	c := charged{}
	for tenant, u := range m.tenants {
		minutes := map[int64]int64{}
		for _, s := range u.cpu {
			if counts(s.minute, now) && s.nanos > 0 {
				minutes[s.minute] = s.nanos
			}
		}
		if len(minutes) > 0 {
			c[tenant] = minutes
		}
	}
	return c
}

func (s *Saved) save() {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.charges()
	if len(c) == 0 { // a service without tenants leaves no file
		if _, err := os.Stat(s.name); errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
	text, err := json.Marshal(c)
	if err == nil {
		err = replace(s.name, text)
	}
	if err != nil && !s.told {
		s.log.Error("what tenants have used cannot be written down; it would be forgotten with this service", "file", s.name, "error", err)
	}
	s.told = err != nil
}

// Close writes down what was charged.
func (s *Saved) Close() {
	s.timer.Stop()
	s.save()
}
