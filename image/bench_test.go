package image

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkUnpack brings in a layer of six thousand files, packed with gzip, and unpacks
// the same with tar, in turns: the ratio holds where the times do not. Both without and with
// the disk's word that it has all of it.
func BenchmarkUnpack(b *testing.B) {
	packed := filepath.Join(b.TempDir(), "layer.tar.gz")
	bytes := someTree(b, packed)
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
			b.ReportMetric(float64(bytes)*float64(b.N)/ours.Seconds()/1e6, "unpacked-MB/s")
		})
	}
}

// someTree packs what a layer may hold: many small files, some larger, in directories.
func someTree(b *testing.B, to string) int64 {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("func return error string package import the a of layer if nil for range type struct int64 { } ( ) := = . , // \n \n\t")
	var all []item
	for d := range 300 {
		all = append(all, dir(fmt.Sprintf("d%d", d)))
		for f := range 20 {
			var text strings.Builder
			size := 1 << random.IntN(16)
			if random.IntN(200) == 0 {
				size = 2 << 20
			}
			for text.Len() < size {
				text.WriteString(words[random.IntN(len(words))])
				text.WriteByte(' ')
			}
			all = append(all, file(fmt.Sprintf("d%d/file%d", d, f), text.String()))
		}
	}
	layer := archive(b, all...)
	if err := os.WriteFile(to, gzipped(b, layer), 0o644); err != nil {
		b.Fatal(err)
	}
	return int64(len(layer))
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
		o.sync, o.flush = unix.Syncfs, unix.Fsync
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
	b.SetBytes(someTree(b, packed))
	o := open(b, Limits{})
	a, err := o.Build(context.Background(), packed, nil, BuildOptions{Name: "x:1"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		o.verified(b, a.Image)
	}
}
