package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFilesConfig: sizes as people write them, in a file also as numbers; 0 means none.
func TestFilesConfig(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	c, err := load(t)
	if n, _ := c.filesBytes(); err != nil || n != 1<<30 {
		t.Errorf("by default: %d, %v", n, err)
	}
	if d, _ := c.filesTTL(); d != 24*time.Hour {
		t.Errorf("by default: %v", d)
	}
	for text, want := range map[string]int64{"files-bytes: 512M\n": 512 << 20, "files-bytes: 1048576\n": 1 << 20, "files-bytes: 0\n": 0, "files-bytes: \"2GiB\"\n": 2 << 30} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := load(t, "--config", file)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if n, err := c.filesBytes(); err != nil || n != want {
			t.Errorf("%s: %d, %v", text, n, err)
		}
	}
	for flag, values := range map[string][]string{"--files-bytes": {"", "-1", "much", "1.5G"}, "--files-ttl": {"", "-1s", "a day", "24"}} {
		for _, v := range values {
			if _, err := load(t, flag, v); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(flag, "--")+": \""+v+"\" given") {
				t.Errorf("%s %q: %v", flag, v, err)
			}
		}
	}
}

// TestOpenFiles: the store lies in the state directory, and there is none for 0 bytes.
func TestOpenFiles(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, given := range []string{"0", "1M"} {
		c, err := load(t, "--state", t.TempDir(), "--files-bytes", given, "--files-ttl", "0")
		if err != nil {
			t.Fatal(err)
		}
		files, err := openFiles(&c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(filepath.Join(c.State, "files", "incoming"))
		if is := files != nil; is != (given != "0") || is != (err == nil) {
			t.Errorf("--files-bytes %s: a store: %t, on the disk: %v", given, is, err)
		}
		if files == nil {
			continue
		}
		if _, err := openFiles(&c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--files-bytes 0") {
			t.Errorf("opened twice: %v", err)
		}
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	}
}
