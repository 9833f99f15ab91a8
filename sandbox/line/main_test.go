package line

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a line with a clock that is set by hand; jobs enter it without waiting.
type bench struct {
	*Line
	t   testing.TB
	now int64
}

func newBench(t testing.TB, c Config) *bench {
	b := &bench{t: t}
	c.Now = func() int64 { return b.now }
	b.Line = New(c)
	return b
}

func (b *bench) in(w Want) *waiter {
	b.t.Helper()
	got, err := b.enter(w)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// of is a job without much.
func of(tenant string) Want { return Want{Tenant: tenant, Memory: 1, CPUs: 1} }

func memory(tenant string, bytes int64) Want { return Want{Tenant: tenant, Memory: bytes, CPUs: 0.5} }

func (b *bench) after(d time.Duration) { b.now += int64(d) }

// runs and waits hold what became of jobs.
func (b *bench) runs(all ...*waiter) {
	b.t.Helper()
	for i, w := range all {
		if w.place == nil {
			b.t.Fatalf("job %d of %d waits: %+v", i+1, len(all), b.Stats())
		}
	}
}

func (b *bench) waits(all ...*waiter) {
	b.t.Helper()
	for i, w := range all {
		if w.place != nil || !w.inLine {
			b.t.Fatalf("job %d of %d does not wait: %+v", i+1, len(all), b.Stats())
		}
	}
}

func (b *bench) tooMuch(w Want) *TooMuch {
	b.t.Helper()
	_, err := b.enter(w)
	var much *TooMuch
	if !errors.As(err, &much) || much.Error() == "" || b.Check(w) == nil {
		b.t.Fatalf("%+v: %v", w, err)
	}
	return much
}
