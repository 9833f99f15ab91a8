package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// noVariable takes CORDON_TOKEN away for a test.
func noVariable(t *testing.T) {
	t.Setenv("CORDON_TOKEN", "") // puts back what was there
	if err := os.Unsetenv("CORDON_TOKEN"); err != nil {
		t.Fatal(err)
	}
}

func TestTokenMade(t *testing.T) {
	noVariable(t)
	state := t.TempDir()
	if _, err := LoadToken(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadToken made one, or says something else: %v", err)
	}
	first, err := LoadOrCreateToken(state)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(state, TokenFile))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	// 26 letters and digits of base 32 are 130 bits.
	if len(first.Reveal()) < 26 || !first.Is(first.Reveal()) {
		t.Errorf("a token of %d characters", len(first.Reveal()))
	}
	for name, load := range map[string]func(string) (Token, error){"LoadToken": LoadToken, "LoadOrCreateToken": LoadOrCreateToken} {
		if again, err := load(state); err != nil || again.Reveal() != first.Reveal() {
			t.Errorf("%s: another token, or %v", name, err)
		}
	}
	if other, err := LoadOrCreateToken(t.TempDir()); err != nil || other.Reveal() == first.Reveal() {
		t.Errorf("the same token twice, or %v", err)
	}
}

// TestTokenRace: services that start at once end with one token, and none of them
// finds it half written.
func TestTokenRace(t *testing.T) {
	noVariable(t)
	for range 20 {
		state := t.TempDir()
		tokens := make([]Token, 8)
		errs := make([]error, len(tokens))
		var all sync.WaitGroup
		begin := make(chan struct{})
		for i := range tokens {
			all.Go(func() {
				<-begin
				tokens[i], errs[i] = LoadOrCreateToken(state)
			})
		}
		close(begin)
		all.Wait()
		kept, err := LoadToken(state)
		if err != nil {
			t.Fatal(err)
		}
		for i := range tokens {
			if errs[i] != nil || tokens[i].Reveal() != kept.Reveal() {
				t.Fatalf("start %d: another token than the file's, or %v", i, errs[i])
			}
		}
		left, err := os.ReadDir(state)
		if err != nil || len(left) != 1 {
			t.Fatalf("left behind: %v %v", left, err)
		}
	}
}

func TestTokenVariable(t *testing.T) {
	state := t.TempDir()
	t.Setenv("CORDON_TOKEN", canary)
	for name, load := range map[string]func(string) (Token, error){"LoadToken": LoadToken, "LoadOrCreateToken": LoadOrCreateToken} {
		if got, err := load(state); err != nil || !got.Is(canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string]string{"empty": "", "short": "fifteen-letters", "space": "with a space inside it", "line": "with-a-line-\n-inside-it",
		"not ASCII": "mit-ümlaut-und-länge", "long": strings.Repeat("x", 1025)} {
		t.Setenv("CORDON_TOKEN", bad)
		for _, load := range []func(string) (Token, error){LoadToken, LoadOrCreateToken} {
			got, err := load(state)
			if err == nil || !strings.Contains(err.Error(), "CORDON_TOKEN") || bad != "" && strings.Contains(err.Error(), bad) {
				t.Errorf("%s: %v", name, err)
			}
			if got.Is(bad) || got.Is("") {
				t.Errorf("%s: the token is good for something", name)
			}
		}
	}
	if left, _ := os.ReadDir(state); len(left) != 0 {
		t.Errorf("a file was made although the variable is set: %v", left)
	}
	for _, good := range []string{"sixteen-letters!", strings.Repeat("x", 1024)} {
		if token, err := NewToken(good); err != nil || !token.Is(good) {
			t.Errorf("%d letters: %v", len(good), err)
		}
	}
}

func TestTokenFile(t *testing.T) {
	noVariable(t)
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string // in the error, "" for none
	}{
		"good":           {canary + "\n", 0o600, ""},
		"read-only":      {canary, 0o400, ""},
		"group reads":    {canary, 0o640, "chmod 600"},
		"others read":    {canary, 0o604, "chmod 600"},
		"others write":   {canary, 0o602, "chmod 600"},
		"all":            {canary, 0o777, "chmod 600"},
		"empty":          {"", 0o600, "remove the file"},
		"short":          {"short\n", 0o600, "remove the file"},
		"two lines":      {canary + "\n" + canary + "\n", 0o600, "remove the file"},
		"binary":         {"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x10\x11\x12\x13\x14\x15\x16", 0o600, "remove the file"},
		"group executes": {canary, 0o610, "chmod 600"},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			file := filepath.Join(state, TokenFile)
			if err := errors.Join(os.WriteFile(file, []byte(c.text), 0o600), os.Chmod(file, c.mode)); err != nil {
				t.Fatal(err)
			}
			got, err := LoadOrCreateToken(state)
			if c.want == "" {
				if err != nil || !got.Is(canary) {
					t.Errorf("%v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), canary) || got.Is(canary) {
				t.Errorf("%v, want %q and the file", err, c.want)
			}
			if text, _ := os.ReadFile(file); string(text) != c.text {
				t.Error("the file was changed")
			}
		})
	}
	if _, err := LoadOrCreateToken(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
}

// TestTokenHidden prints a token in every way there is.
func TestTokenHidden(t *testing.T) {
	s := start(t, nil)
	token := s.config.Token
	type exported struct{ Token Token }
	type unexported struct{ token Token }
	values := []any{token, &token, []Token{token}, map[string]Token{"t": token}, exported{token}, &exported{token}, unexported{token}, &unexported{token},
		[]unexported{{token}}, s.config, s.Server, fmt.Errorf("wrapped: %v", token)}
	var out bytes.Buffer
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%p", "%08.3f", "%U"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
	}
	for _, v := range values[:9] {
		text, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		out.Write(text)
	}
	asKey, err := json.Marshal(map[Token]int{token: 1})
	if err != nil {
		t.Error(err)
	}
	out.Write(asKey)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(h)
		for _, v := range values {
			log.Info("x", "value", v, slog.Group("g", "v", v))
			log.With("v", v).Error("y")
		}
	}
	hexed := fmt.Sprintf("%x", canary)
	if text := out.String(); strings.Contains(text, canary) || strings.Contains(strings.ToLower(text), hexed) || !strings.Contains(text, redacted) {
		at := max(strings.Index(text, canary), strings.Index(strings.ToLower(text), hexed))
		t.Errorf("the token is printed, or the placeholder is not: …%s", text[max(0, at-200):min(len(text), max(0, at)+100)])
	}
}

func TestTokenIs(t *testing.T) {
	token, err := NewToken(canary)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"", canary[1:], canary[:len(canary)-1], canary + "x", canary + "\x00", " " + canary, strings.ToUpper(canary), redacted} {
		if token.Is(wrong) {
			t.Errorf("%q is taken", wrong)
		}
	}
	if !token.Is(canary) || token.Reveal() != canary {
		t.Error("the token itself is not taken")
	}
	if (Token{}).Is("") || (Token{}).Reveal() != "" || (Token{}).Is(redacted) {
		t.Error("no token is a token")
	}
}
