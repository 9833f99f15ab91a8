package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

// testInput: environment, working directory, standard input.
func testInput(t *testing.T, s *service) {
	t.Run("env", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": []string{"env"}, "env": object{"K": "a value\twith = and ü", "EMPTY": ""}})
		r.want(t, "ok")
		lines := strings.Split(strings.TrimRight(r.out(t), "\n"), "\n")
		got := map[string]string{}
		for _, line := range lines {
			name, value, _ := strings.Cut(line, "=")
			got[name] = value
		}
		if got["K"] != "a value\twith = and ü" {
			t.Errorf("K is %q", got["K"])
		}
		if value, ok := got["EMPTY"]; !ok || value != "" {
			t.Errorf("EMPTY is %q, %v", value, ok)
		}
		if got["PATH"] == "" || got["HOME"] == "" {
			t.Errorf("no PATH or HOME: %q", lines)
		}
		for name, value := range got {
			if strings.HasPrefix(name, "CORDON") || strings.HasPrefix(name, "ROOTLESSKIT") || strings.Contains(value, s.token) {
				t.Errorf("%s=%s of the daemon reached the job", name, value)
			}
		}
	})
	t.Run("cwd", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": []string{"sh", "-c", "pwd && touch here && ls"}})
		r.want(t, "ok")
		if r.out(t) != "/work\nhere\n" {
			t.Errorf("stdout %q", r.out(t))
		}
	})
	t.Run("no_stdin", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": []string{"cat"}})
		r.want(t, "ok")
		if r.out(t) != "" {
			t.Errorf("stdout %q", r.out(t))
		}
	})
	input := letters(8 << 20)
	t.Run("8_MiB_of_stdin", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": []string{"sha256sum"}, "stdin": input})
		r.want(t, "ok")
		if want := digest(input) + "  -\n"; r.out(t) != want {
			t.Errorf("stdout %q, want %q", r.out(t), want)
		}
	})
	t.Run("8_MiB_of_stdin_unread", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": []string{"true"}, "stdin": input})
		r.want(t, "ok")
	})
	t.Run("files", func(t *testing.T) {
		parallel(t)
		raw := make([]byte, 256)
		for i := range raw {
			raw[i] = byte(i)
		}
		r := s.run(t, object{
			"command": []string{"sh", "-c", "cat in/deep/a.txt && sha256sum < b.bin && wc -c < empty"},
			"files": []object{
				{"path": "in/deep/a.txt", "content": "text ü\n"},
				{"path": "b.bin", "base64": base64.StdEncoding.EncodeToString(raw)},
				{"path": "empty", "content": ""},
			},
		})
		r.want(t, "ok")
		if want := "text ü\n" + digest(string(raw)) + "  -\n0\n"; r.out(t) != want {
			t.Errorf("stdout %q, want %q", r.out(t), want)
		}
	})
}

// letters makes n bytes that no two runs of the same length share by chance and
// every run of the suite repeats.
func letters(n int) string {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	out := make([]byte, n)
	for i := range out {
		out[i] = 'a' + byte(random.UintN(26))
	}
	return string(out)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
