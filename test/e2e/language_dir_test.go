package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cordon/internal/testkit"
)

// TestAddedLanguage adds exactly the language that the manual shows, in one file,
// and runs exactly the job that it shows.
func TestAddedLanguage(t *testing.T) {
	manual, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs", "languages.md"))
	if err != nil {
		t.Fatal(err)
	}
	file := regexp.MustCompile("(?ms)^```yaml\n# (\\S+\\.yaml)\n(.*?)^```$").FindSubmatch(manual)
	if file == nil {
		t.Fatal("docs/languages.md shows no whole file")
	}
	id := strings.TrimSuffix(string(file[1]), ".yaml")
	job := regexp.MustCompile("this job prints `([^`]+)`:\n\n```json\n(.*)\n```").FindSubmatch(manual)
	if job == nil {
		t.Fatal("docs/languages.md shows no job in that language")
	}
	var request object
	if err := json.Unmarshal(job[2], &request); err != nil || request["language"] != id {
		t.Fatalf("%v in %s", err, job[2])
	}

	plain := testkit.StartDaemon(t, "--languages", "sh")
	without := newService(plain.URL, plain.Token)
	if status, _, answer := without.send(t, http.MethodPost, "/v1/run", plain.Token, job[2]); status != 422 || !strings.Contains(string(answer), "unknown_language") {
		t.Errorf("%s without its file: %d %s", id, status, answer)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, string(file[1])), file[2], 0o644); err != nil {
		t.Fatal(err)
	}
	d := testkit.StartDaemon(t, "--language-dir", dir, "--languages", "sh,"+id)
	s := newService(d.URL, d.Token)
	list := listLanguages(t, s)
	i := slices.IndexFunc(list, func(l listed) bool { return l.ID == id })
	if i < 0 || list[i].Status != "ok" || list[i].Version == "" || len(list[i].Run) == 0 {
		t.Fatalf("%s in %+v", id, list)
	}
	r := s.run(t, request)
	r.want(t, "ok")
	if r.out(t) != string(job[1])+"\n" {
		t.Errorf("prints %q, the manual says %q", r.out(t), job[1])
	}
	for _, v := range list { // its versions come with it
		if v.Family == id && v.ID != id {
			request["language"] = v.ID
			s.run(t, request).want(t, "ok")
		}
	}
}

// TestBadLanguageFile: a mistake in an operator's file ends the start, and says
// where it is.
func TestBadLanguageFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "python.yaml")
	if err := os.WriteFile(name, []byte("id: python\nname: Mine\nsource: main.py\ntools: [{name: python3, package: python3}]\nrun: {command: [python3, main.py]}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := testkit.Command(t, "serve", "--listen", "127.0.0.1:0", "--state", t.TempDir(), "--language-dir", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), name+": line 1: id: \"python\" is the id of a shipped language; choose another, or say replace: true") {
		t.Errorf("%v: %s", err, out)
	}
}
