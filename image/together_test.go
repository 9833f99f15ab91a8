package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestTogether: several users of one store, each with its own eyes on it, bring in, hold,
// verify, export, remove and prune at once. What is held stays, nothing is half there, and
// in the end nothing is left.
func TestTogether(t *testing.T) {
	o := open(t, Limits{})
	base, own := archive(t, file("etc/base", "x"), file("a/.wh.b", "")), make([][]byte, 3)
	from := make([]string, len(own))
	for i := range own {
		own[i] = archive(t, file("own", fmt.Sprint(i)), file("own", fmt.Sprint(i, "again")))
		l := newLayout(t)
		l.image(fmt.Sprintf("x:%d", i), base, own[i])
		from[i] = l.write()
	}
	allowed := func(what string, err error) {
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			s, err := Open(Config{Dir: filepath.Join(o.top, "images"), Owners: o.owners})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			s.sync, s.flush = o.sync, o.flush
			for round := range 12 {
				n := (worker + round) % len(own)
				r := Ref{Name: fmt.Sprintf("x:%d", n)}
				switch (worker*5 + round) % 4 {
				case 0, 1:
					if _, err := s.Import(context.Background(), from[n], nil, ImportOptions{}); err != nil {
						t.Errorf("import: %v", err)
					}
					h, err := s.Hold(r)
					allowed("hold", err)
					if err == nil {
						_, err := s.Prune()
						allowed("prune", err)
						for _, l := range lowers(t, h) {
							if _, err := os.Stat(filepath.Join(s.Layers(), l)); err != nil {
								t.Errorf("held: %v", err)
							}
						}
						if err := h.Close(); err != nil {
							t.Error(err)
						}
					}
				case 2:
					_, err := s.Remove(r)
					allowed("remove", err)
				case 3:
					h, err := s.Hold(r)
					allowed("hold", err)
					if err == nil {
						problems, err := s.Verify(context.Background(), h.Image)
						if err != nil || len(problems) > 0 {
							t.Errorf("verify: %+v, %v", problems, err)
						}
						if err := h.Close(); err != nil {
							t.Error(err)
						}
					}
					_, err = s.List()
					allowed("list", err)
				}
			}
		})
	}
	all.Wait()
	for n := range own {
		_, err := o.Remove(Ref{Name: fmt.Sprintf("x:%d", n)})
		allowed("remove", err)
	}
	if _, err := o.Prune(); err != nil {
		t.Error(err)
	}
	o.empty(t)
}
