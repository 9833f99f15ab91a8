package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// crashing is a store that is large enough for what a child puts.
func crashing(dir string) Config {
	return Config{Dir: dir, MaxBytes: 64 << 20, MaxFiles: 10000, MaxFileBytes: 8 << 20}
}

// putting puts files in several goroutines until it is killed, and prints the sum of
// each that is there.
func putting(dir string) error {
	s, err := Open(crashing(dir))
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	var told sync.Mutex
	failed := make(chan error, 4)
	for worker := range cap(failed) {
		all.Go(func() {
			for i := 0; ; i++ {
				content := fmt.Sprint(os.Getpid(), " ", worker, " ", i, letters('x', i%5*100<<10))
				if _, err := s.Put(context.Background(), sumOf(content), -1, strings.NewReader(content)); err != nil {
					failed <- err
					return
				}
				told.Lock()
				fmt.Println(sumOf(content))
				told.Unlock()
			}
		})
	}
	return errors.Join(<-failed, errors.New("a Put failed"))
}

// TestKilled: a process is killed again and again while it puts. What is found by the
// next has the right bytes, what was reported as kept is there, what was half written is
// removed, and told.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	half := 0
	for round := range 8 {
		c := child(t, "putting", dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		var kept []string
		lines := bufio.NewScanner(out)
		for i := 0; lines.Scan(); i++ {
			kept = append(kept, lines.Text())
			if i == 5+round {
				time.Sleep(time.Duration(rand.IntN(5_000)) * time.Microsecond) // somewhere within the next ones
				if err := c.Process.Signal(unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Wait(); err == nil || len(kept) < 5+round {
			t.Fatalf("it was not killed: %v, %d files", err, len(kept))
		}
		left, err := filepath.Glob(filepath.Join(dir, incomingDir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		half += len(left)
		s := open(t, crashing(dir))
		if told := strings.Contains(s.log.String(), fmt.Sprintf("unfinished=%d wrong=0", len(left))); told != (len(left) > 0) {
			t.Errorf("%d half files, and this is told: %s", len(left), s.log)
		}
		for _, sum := range kept {
			f, err := s.Get(sum)
			if err != nil {
				t.Errorf("reported, and not there: %v", err)
				continue
			}
			if len(sum) != 64 || sumOf(read(t, f)) != sum {
				t.Errorf("%s has other bytes", sum)
			}
			f.Close()
		}
		s.sound(t)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if half == 0 {
		t.Error("it was never killed in the middle of a file: this test does not see what it looks for")
	}
	t.Logf("%d half files in all", half)
}
