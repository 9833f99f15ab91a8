package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// TestWeb drives a browser through the page, which must be built into the program under test. Each
// of web/tests' specs is a test of its own here.
func TestWeb(t *testing.T) {
	t.Parallel()
	d := testkit.StartDaemon(t, "--languages", "sh,python,c", "--snippets", "on")
	if page := index(t, d.URL); !strings.Contains(page, `src="/assets/`) {
		t.Fatalf("the page is not in the program under test; run make web && make build. It serves:\n%s", page)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(testkit.Root(t), "web", "tests", "main.mjs"))
	cmd.Env = append(os.Environ(), "CORDON_URL="+d.URL, "CORDON_TOKEN="+d.Token, "HOME="+t.TempDir())
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := false
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var spec struct {
			Name, Wrong, Note string
			Took              float64
			All               int
		}
		if err := json.Unmarshal(lines.Bytes(), &spec); err != nil {
			t.Errorf("web/tests: %q: %v", lines.Text(), err)
			continue
		}
		if spec.All > 0 {
			done = true
			continue
		}
		t.Run(spec.Name, func(t *testing.T) {
			t.Logf("took %.1f s %s", spec.Took, spec.Note)
			if spec.Wrong != "" {
				t.Error(spec.Wrong)
			}
		})
	}
	if err := cmd.Wait(); err != nil || !done {
		t.Errorf("web/tests ended with %v, and came to its end: %v", err, done)
	}
}

func index(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}
