package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The service is found where cordon serve would be, unless somebody says otherwise.
func TestRemoteAddress(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, one := range []struct {
		listen, socket, variable, flag string
		want                           string
	}{
		{"127.0.0.1:8080", "", "", "", "http://127.0.0.1:8080"},
		{":9000", "", "", "", "http://localhost:9000"},
		{"0.0.0.0:9000", "/s", "", "", "http://localhost:9000"},
		{"[::]:9000", "", "", "", "http://localhost:9000"},
		{"cordon.example:80", "", "", "", "http://cordon.example:80"},
		{"", "/run/cordon.sock", "", "", "unix:/run/cordon.sock"},
		{":9000", "", "http://a", "", "http://a"},
		{":9000", "", "http://a", "http://b", "http://b"},
	} {
		t.Setenv("CORDON_URL", one.variable)
		got, err := (&remote{url: one.flag}).address(&config{Listen: one.listen, Socket: one.socket})
		if got != one.want || err != nil {
			t.Errorf("%+v: %s %v", one, got, err)
		}
	}
	t.Setenv("CORDON_URL", "")
	if _, err := (&remote{}).address(&config{Listen: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "--url") {
		t.Errorf("%v", err)
	}
	for at, want := range map[string]bool{"http://localhost:1": true, "http://127.0.0.2": true, "http://[::1]:80": true, "unix:/x": true, "http://10.0.0.1": false,
		"http://localhost.example": false, "https://127.0.0.1.example": false, "http://0.0.0.0": false, "": false, "%": false} {
		if isLocal(at) != want {
			t.Errorf("isLocal(%q) = %t", at, !want)
		}
	}
}

// The token of this machine's service is for no other.
func TestRemoteToken(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "token")
	secret := strings.Repeat("s", 40)
	if err := os.WriteFile(name, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unsetenv(t, "CORDON_TOKEN")
	c := &config{State: dir}
	for _, one := range []struct {
		local    bool
		file     string
		variable string
		want     string
		fails    string
	}{
		{true, "", "", secret, ""},
		{false, "", "", "", "no token"},
		{false, name, "", secret, ""},
		{false, "", strings.Repeat("v", 40), strings.Repeat("v", 40), ""},
		{true, "", strings.Repeat("v", 40), strings.Repeat("v", 40), ""},
		{true, name, strings.Repeat("v", 40), secret, ""},
		{true, filepath.Join(dir, "none"), "", "", "--token-file"},
	} {
		if one.variable != "" {
			t.Setenv("CORDON_TOKEN", one.variable)
		} else {
			unsetenv(t, "CORDON_TOKEN")
		}
		got, err := (&remote{tokenFile: one.file}).token(c, one.local)
		if got != one.want || (err == nil) != (one.fails == "") || err != nil && !strings.Contains(err.Error(), one.fails) {
			t.Errorf("%+v: %q %v", one, got, err)
		}
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	unsetenv(t, "CORDON_TOKEN")
	if _, err := (&remote{}).token(c, true); err == nil || !strings.Contains(err.Error(), "read by others") {
		t.Errorf("%v", err)
	}
}

// unsetenv is undone with the test.
func unsetenv(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "")
	os.Unsetenv(name)
}
