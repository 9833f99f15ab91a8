package languages

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machine makes a directory tree with executables and links; the finder sees
// only what lies below "seen".
func machine(t *testing.T, scripts, links map[string]string) (string, finder) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"seen/bin", "hidden/bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeTools(t, root, scripts)
	for name, target := range links {
		if err := os.Symlink(strings.ReplaceAll(target, "ROOT", root), filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root, finder{path: []string{root + "/hidden/bin", root + "/seen/bin"}, visible: []string{root + "/seen"}}
}

func writeTools(t *testing.T, root string, scripts map[string]string) {
	t.Helper()
	for name, text := range scripts {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, link := strings.CutPrefix(text, "LINK "); link {
			if err := os.Symlink(target, name); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// asked is how often a tool has left a trace of itself.
func asked(t *testing.T, f finder, name string) int {
	t.Helper()
	path, err := f.resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := os.ReadFile(path + ".asked")
	if err != nil {
		t.Fatal(err)
	}
	return len(trace)
}

func TestTool(t *testing.T) {
	for _, tt := range []struct {
		name           string
		scripts, links map[string]string
		any            []string
		want           string // "" for an error
		wantErr        string
	}{
		{name: "plain", scripts: map[string]string{"seen/bin/xc": ""}, want: "xc"},
		{name: "nowhere", wantErr: "not found in"},
		{name: "hidden directory", scripts: map[string]string{"hidden/bin/xc": ""}, wantErr: "jobs see only"},
		{name: "hidden first, seen next", scripts: map[string]string{"hidden/bin/xc": "", "seen/bin/xc": ""}, want: "xc"},
		{name: "link inside", scripts: map[string]string{"seen/xc-1": ""}, links: map[string]string{"seen/bin/xc": "../xc-1"}, want: "xc"},
		{name: "link to hidden", scripts: map[string]string{"hidden/bin/real": ""}, links: map[string]string{"seen/bin/xc": "ROOT/hidden/bin/real"}, wantErr: "hidden/bin/real"},
		{
			name: "chain through hidden", scripts: map[string]string{"seen/real": ""},
			links:   map[string]string{"seen/bin/xc": "ROOT/hidden/alternative", "hidden/alternative": "ROOT/seen/real"},
			wantErr: "hidden/alternative",
		},
		{
			name: "linked directory that leads outside", scripts: map[string]string{"hidden/bin/real": ""},
			links:   map[string]string{"seen/dir": "ROOT/hidden/bin", "seen/bin/xc": "../dir/real"},
			wantErr: "jobs see only",
		},
		{name: "other name", scripts: map[string]string{"seen/bin/xc-2": ""}, any: []string{"xc-1", "xc-2"}, want: "xc-2"},
		{name: "absolute", scripts: map[string]string{"seen/xc": ""}, any: []string{"ROOT/seen/xc"}, want: "ROOT/seen/xc"},
		{name: "absolute but hidden", scripts: map[string]string{"hidden/xc": ""}, any: []string{"ROOT/hidden/xc"}, wantErr: "jobs see only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, f := machine(t, tt.scripts, tt.links)
			tool := tool{Name: "xc", Package: "xc-package"}
			for _, a := range tt.any {
				tool.Any = append(tool.Any, strings.ReplaceAll(a, "ROOT", root))
			}
			got, err := f.tool(tool)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) || !strings.Contains(err.Error(), "xc-package") {
					t.Errorf("got %q, %v; want an error with %q and the package", got, err, tt.wantErr)
				}
				return
			}
			if want := strings.ReplaceAll(tt.want, "ROOT", root); err != nil || got != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		})
	}
}

func TestToolNotExecutable(t *testing.T) {
	root, f := machine(t, map[string]string{"seen/bin/xc": ""}, nil)
	if err := os.Chmod(root+"/seen/bin/xc", 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := f.tool(tool{Name: "xc", Package: "p"}); err == nil {
		t.Errorf("took %q, which nobody may execute", got)
	}
}

func TestFind(t *testing.T) {
	l, err := decode([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, script, version, missing string }{
		{"works", `echo "x 42"`, "42", ""},
		{"on standard error", `echo "x 42" >&2`, "42", ""},
		{"fails", `echo broken; exit 3`, "", "exit status 3: broken"},
		{"says nothing useful", `echo hello`, "", `no version in "hello"`},
		{"sees the job's PATH only", `echo "x ${SECRET:-7}"`, "7", ""},
	} {
		t.Setenv("SECRET", "1")
		_, f := machine(t, map[string]string{"seen/bin/xc": tt.script}, nil)
		got := f.find(t.Context(), l)
		if got.ok != (tt.missing == "") || got.version != tt.version || !strings.Contains(got.missing, tt.missing) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func TestFindEndsAToolThatHangs(t *testing.T) {
	l, err := decode([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	// The child holds the output pipe: only the kill of the whole group ends it.
	_, f := machine(t, map[string]string{"seen/bin/xc": "/bin/sleep 1000 & wait"}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got := f.find(ctx, l); got.ok || !strings.Contains(got.missing, "deadline exceeded") {
		t.Errorf("%+v", got)
	}
}
