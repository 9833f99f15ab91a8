package queue

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// blocks are the files that hold messages.
func blocks(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", streamName, "msgs", "*.blk"))
	if err != nil || len(all) == 0 {
		t.Fatalf("no blocks below %s: %v", dir, err)
	}
	return all
}

// A machine that loses its power in the middle of a write leaves a part of it at the end:
// every job that was acknowledged before is there, and the queue goes on.
func TestTornTail(t *testing.T) {
	for _, cut := range []string{"garbage", "half a message", "a few bytes"} {
		t.Run(cut, func(t *testing.T) {
			c, h := newClock(), inProcess{t.TempDir(), slog.New(slog.DiscardHandler)}
			q := open(t, h, c, nil)
			for i := range 20 {
				q.submit(fmt.Sprintf("job%02d", i), nil)
			}
			last := blocks(t, h.dir)[0]
			before, err := os.Stat(last)
			if err != nil {
				t.Fatal(err)
			}
			q.submit("torn", nil)
			q.close()
			// The state that a clean end writes is not there after an unclean one.
			for _, name := range []string{"index.db"} {
				_ = os.Remove(filepath.Join(filepath.Dir(last), name))
			}
			whole, err := os.ReadFile(last)
			if err != nil {
				t.Fatal(err)
			}
			torn := whole[:before.Size()]
			switch cut {
			case "garbage":
				torn = append(torn[:len(torn):len(torn)], make([]byte, 100)...)
			case "half a message":
				torn = whole[:(int(before.Size())+len(whole))/2]
			default:
				torn = whole[:before.Size()+3]
			}
			if err := os.WriteFile(last, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			q = open(t, h, c, nil)
			q.gone("torn")
			for i := range 20 {
				id := fmt.Sprintf("job%02d", i)
				if one := q.claim(id); string(one.Request) != "request of "+id {
					t.Errorf("%s: %q", id, one.Request)
				}
			}
			q.submit("torn", nil)
			q.claim("torn")
		})
	}
}

// A record that cannot be read is told of and left out; it takes nothing with it.
func TestForeignRecords(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, nil)
		q.submit("a", nil)
		for i, meta := range []string{``, `{`, `{"id":"x0"}`, `{"id":"other","state":"queued","priority":"high"}`, `{"id":"x4","state":"lost","priority":"high"}`} {
			if _, err := q.j.Put(t.Context(), subject(submission, fmt.Sprint("x", i)), []byte(meta), nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := q.j.Put(t.Context(), subject("unknown", "x"), []byte("x"), nil, 0); err != nil {
			t.Fatal(err)
		}
		q.close()
		q = open(t, h, c, nil)
		q.claim("a")
		q.claim("")
	})
}

// The same message twice is one job.
func TestMessagesTwice(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		q := open(t, h, newClock(), nil)
		q.submit("a", nil)
		m, err := q.j.Get(t.Context(), subject(submission, "a"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.j.Put(t.Context(), m.Subject, m.Meta, m.Data, 0); err == nil {
			t.Fatal("a submission was written twice")
		}
		one := q.claim("a")
		q.told(m, newStrays()) // the journal tells of it again
		q.claim("")
		q.wants("a", Running, 1)
		q.finish(one, End{Done, nil})
		q.told(m, newStrays())
		q.claim("")
		q.wants("a", Done, 1)
	})
}

// A write that fails changes nothing, and is tried again where it must be.
func TestWritesThatFail(t *testing.T) {
	m := NewMemory()
	q := open(t, inMemory{m}, newClock(), nil)
	q.submit("a", nil)
	m.Fail(ErrUnavailable)
	if _, _, err := q.Submit(t.Context(), Submission{ID: "b", Priority: Normal}); err == nil {
		t.Error("taken though it was not written")
	}
	q.gone("b")
	if c, err := q.claimNext(t.Context()); err == nil || c != nil {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := q.Cancel(t.Context(), "a"); err == nil {
		t.Error("cancelled though it was not written")
	}
	q.wants("a", Queued, 0)
	m.Fail(nil)
	one := q.claim("a")
	m.Fail(ErrNoSpace)
	ended := make(chan error)
	go func() { ended <- one.Finish(End{Done, []byte("kept in memory")}) }()
	if _, err := q.Cancel(t.Context(), "a"); err == nil {
		t.Error("no error")
	}
	<-one.Context().Done() // it is ended all the same
	m.Fail(nil)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	q.wants("a", Done, 1)
	if q.result("a") != "kept in memory" {
		t.Errorf("%q", q.result("a"))
	}
}
