package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// load parses arguments as a command does.
func load(t *testing.T, args ...string) (config, error) {
	t.Helper()
	f := pflag.NewFlagSet("test", pflag.ContinueOnError)
	addFlags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return loadConfig(f)
}

func TestConfigOrder(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("listen: 127.0.0.1:1\nparallel: 3\nqueue: 7\nstate: /tmp/s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CORDON_GO_CACHE", "") // as the tests' own environment may have it
	t.Setenv("CORDON_PARALLEL", "4")
	t.Setenv("CORDON_QUEUE", "8")
	c, err := load(t, "--config", file, "--queue", "9")
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:1" || c.Parallel != 4 || c.Queue != 9 || c.State != "/tmp/s" || c.GoCache != "/tmp/s/go-cache" || c.Warm != 2 {
		t.Errorf("%+v", c)
	}
	t.Setenv("CORDON_CONFIG", file)
	t.Setenv("CORDON_QUEUE", "")
	if _, err := load(t); err == nil || !strings.Contains(err.Error(), "CORDON_QUEUE") {
		t.Errorf("an empty number: %v", err)
	}
}

func TestConfigRefused(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for name, c := range map[string]struct{ text, says string }{
		"unknown key":  {"lisen: x\n", "lisen"},
		"twice":        {"queue: 1\nqueue: 2\n", "queue"},
		"wrong type":   {"queue: many\n", "queue"},
		"no YAML":      {"a: [\n", "config"},
		"bad tag":      {"a: !!binary |\n  %\n", "config"},
		"nothing open": {"listen: \"\"\n", "listen and socket are both empty"},
		"too many":     {"parallel: 100000\n", "allowed is 1 to 4096"},
		"none":         {"parallel: 0\n", "allowed is 1 to 4096"},
		"drain":        {"drain: soon\n", "drain"},
		"past":         {"drain: -3s\n", "drain"},
		"URL as host":  {"allow-host: a.example, https://b.example\n", "allow-host: \"https://b.example\""},
		"any host":     {"allow-host: \"*\"\n", "allow-host"},
		"no scale":     {"cpu-scale: \"\"\n", "cpu-scale: \"\" given, a number from 0.1 to 10"},
		"scale 0":      {"cpu-scale: 0\n", "cpu-scale"},
		"below":        {"cpu-scale: 0.0999\n", "cpu-scale: \"0.0999\""},
		"above":        {"cpu-scale: 10.01\n", "cpu-scale"},
		"negative":     {"cpu-scale: -1\n", "cpu-scale"},
		"infinite":     {"cpu-scale: .inf\n", "cpu-scale"},
		"not a number": {"cpu-scale: nan\n", "cpu-scale: \"nan\""},
		"exponent":     {"cpu-scale: 1e0\n", "cpu-scale"},
		"hexadecimal":  {"cpu-scale: 0x1p0\n", "cpu-scale"},
		"a comma":      {"cpu-scale: '1,2'\n", "cpu-scale"},
		"much":         {"overcommit: much\n", "overcommit: \"much\" given, memory=FACTOR and cpu=FACTOR"},
		"promised 0":   {"overcommit: memory=0\n", "from 0.01 to 1000"},
		"said twice":   {"overcommit: cpu=1,cpu=2\n", "each once at most"},
		"of the disk":  {"overcommit: memory=1.5,disk=2\n", "overcommit"},
		"endless":      {"overcommit: memory=inf\n", "overcommit"},
		"no size":      {"queue-bytes: 0\n", "queue-bytes: \"0\" given, a size"},
		"results":      {"results-bytes: some\n", "results-bytes"},
		"no wait":      {"queue-ttl: 0s\n", "queue-ttl"},
		"kept":         {"results-ttl: -1h\n", "results-ttl"},
		"places":       {"parallel: 2\nqueue-parallel: 3\n", "queue-parallel: 3 given, allowed is 1 to 2"},
		"waiting":      {"queue-jobs: 1000001\n", "queue-jobs"},
		"copies":       {"queue-replicas: 0\n", "queue-replicas"},
		"half a pair":  {"queue-url: tls://a\nqueue-cert: c\n", "queue-cert and queue-key"},
		"nowhere":      {"queue-ca: c\n", "queue-ca: given without queue-url"},
		"level":        {"log-level: verbose\n", "debug, info, warn and error"},
		"two in one":   {"queue: 1\n---\nqueue: 2\n", "more than one document"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := load(t, "--config", file); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
	if _, err := load(t, "--config", "/does/not/exist"); err == nil {
		t.Error("a missing file was taken")
	}
}

// Every setting stands in the document with its three names.
func TestConfigDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		variable := "CORDON_" + strings.ToUpper(strings.ReplaceAll(o.flag, "-", "_"))
		if row := "| `--" + o.flag + "` | `" + variable + "` | `" + o.flag + "` |"; !strings.Contains(string(text), row) {
			t.Errorf("docs/configuration.md has no row %s", row)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "12": 12, "1k": 1024, "64M": 64 << 20, "2GiB": 2 << 30, "3mb": 3 << 20, "1T": 1 << 40} {
		var s size
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("%q: %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "M", "-1", "1.5G", "9999999999999G", "1X", "1 2"} {
		var s size
		if s.Set(text) == nil {
			t.Errorf("%q was taken as %d", text, s)
		}
	}
	for want, n := range map[string]size{"0": 0, "768K": 768 << 10, "1.4M": 1468006, "2G": 2 << 30} {
		if n.String() != want {
			t.Errorf("%d: %q, want %q", int64(n), n.String(), want)
		}
	}
}
