package image

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkUnpack brings in a layer of Go's own sources, packed with gzip, and unpacks the
// same with tar, in turns: the ratio holds where the times do not. Both without and with
// the disk's word that it has all of it.
func BenchmarkUnpack(b *testing.B) {
	packed := filepath.Join(b.TempDir(), "layer.tar.gz")
	bytes := goSources(b, packed)
	b.SetBytes(bytes)
	for _, synced := range []bool{false, true} {
		name := "unsynced"
		if synced {
			name = "synced"
		}
		b.Run(name, func(b *testing.B) {
			var ours, theirs time.Duration
			for b.Loop() {
				theirs += byTar(b, packed, synced)
				ours += byStore(b, packed, synced)
			}
			b.ReportMetric(float64(ours)/float64(theirs), "×tar")
			b.ReportMetric(float64(bytes)/ours.Seconds()/1e6*float64(b.N), "MB/s")
		})
	}
}

// goSources packs a tree that every machine has which runs this.
func goSources(b *testing.B, to string) int64 {
	b.Helper()
	p := &packer{ctx: context.Background(), links: map[[2]uint64]string{}}
	r, err := p.open(filepath.Join(runtime.GOROOT(), "src"), nil)
	if err != nil {
		b.Fatal(err)
	}
	f, err := os.Create(to)
	if err != nil {
		b.Fatal(err)
	}
	w := gzip.NewWriter(f)
	n, err := io.Copy(w, r)
	if err := errors.Join(err, w.Close(), f.Close(), r.Close()); err != nil {
		b.Fatal(err)
	}
	return n
}

func settle(b *testing.B) {
	b.Helper()
	unix.Sync()
}

func byTar(b *testing.B, packed string, synced bool) time.Duration {
	b.Helper()
	to, err := os.MkdirTemp(b.TempDir(), "")
	if err != nil {
		b.Fatal(err)
	}
	settle(b)
	began := time.Now()
	if out, err := exec.CommandContext(b.Context(), "tar", "-xzf", packed, "-C", to).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	if synced {
		dir, err := os.Open(to)
		if err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(unix.Syncfs(int(dir.Fd())), dir.Close()); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(began)
	if err := os.RemoveAll(to); err != nil {
		b.Fatal(err)
	}
	return took
}

func byStore(b *testing.B, packed string, synced bool) time.Duration {
	b.Helper()
	o := open(b, Limits{})
	if synced {
		o.sync = unix.Syncfs
	}
	settle(b)
	began := time.Now()
	if _, err := o.Build(context.Background(), packed, nil, BuildOptions{Name: "x:1"}); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	if _, err := o.Remove(Ref{Name: "x:1"}); err != nil {
		b.Fatal(err)
	}
	return took
}

// BenchmarkVerify reads such a layer again.
func BenchmarkVerify(b *testing.B) {
	packed := filepath.Join(b.TempDir(), "layer.tar.gz")
	b.SetBytes(goSources(b, packed))
	o := open(b, Limits{})
	a, err := o.Build(context.Background(), packed, nil, BuildOptions{Name: "x:1"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		o.verified(b, a.Image)
	}
}
