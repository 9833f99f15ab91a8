package verify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// sampled are the programs and libraries that every job of the host's root sees
// and that the whole host runs: through the page cache they are one for all.
var sampled = []string{"/usr/bin/*sh", "/usr/bin/su", "/usr/bin/env", "/usr/bin/[a-d]*", "/usr/bin/mount", "/usr/bin/passwd",
	"/usr/lib/*/libc.so*", "/usr/lib/*/ld-linux*", "/usr/lib64/ld-linux*"}

// sampleMost bounds one file of the sample.
const sampleMost = 16 << 20

// sample hashes them as they are read now.
func sample() (map[string]string, error) {
	out := map[string]string{}
	for _, pattern := range sampled {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if sum, ok := hashed(name); ok {
				out[name] = sum
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("not one file to read among %v", sampled)
	}
	return out, nil
}

// hashed leaves out what is no regular file, or not everybody's to read.
func hashed(name string) (string, bool) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	f, err := os.Open(name)
	if err != nil {
		return "", false
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, sampleMost)); err != nil {
		return "", false
	}
	return fmt.Sprintf("%x", h.Sum(nil)), true
}

// sharedFiles: what the jobs only read is what it was before the first of them
// (CVE-2022-0847 and its kin changed the cached pages of read-only files).
func (s *session) sharedFiles(_ context.Context, o *Outcome) {
	now, err := sample()
	if err != nil {
		o.problem("%v", err)
		return
	}
	for name, sum := range sorted(s.shared) {
		if now[name] != sum {
			o.escape("%s has changed", name)
		}
	}
	if len(now) != len(s.shared) {
		o.problem("%d files before, %d now", len(s.shared), len(now))
	}
}
