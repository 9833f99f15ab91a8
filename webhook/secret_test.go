package webhook

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hmacByHand is HMAC-SHA256 as RFC 2104 writes it, without the library that signs.
func hmacByHand(key []byte, message string) []byte {
	block := make([]byte, 64) // no key here is longer
	copy(block, key)
	inner, outer := make([]byte, 64), make([]byte, 64)
	for i := range block {
		inner[i], outer[i] = block[i]^0x36, block[i]^0x5c
	}
	first := sha256.Sum256(append(inner, message...))
	second := sha256.Sum256(append(outer, first[:]...))
	return second[:]
}

func keyOf(t testing.TB, secret string) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("%q: %v", secret, err)
	}
	return key
}

const (
	// oneSecret and its signature are the example that Standard Webhooks' own libraries
	// are tested with.
	oneSecret     = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	exampleID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	exampleAt     = 1614265330
	exampleBody   = `{"test": 2432232314}`
	exampleSigned = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func secrets(t testing.TB, text string) Secrets {
	t.Helper()
	s, err := ParseSecrets(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignature(t *testing.T) {
	s := secrets(t, oneSecret)
	if got := s.sign("", exampleID, time.Unix(exampleAt, 0), []byte(exampleBody)); got != exampleSigned {
		t.Errorf("%s, want %s", got, exampleSigned)
	}
	by := "v1," + base64.StdEncoding.EncodeToString(hmacByHand(keyOf(t, oneSecret), fmt.Sprintf("%s.%d.%s", exampleID, exampleAt, exampleBody)))
	if by != exampleSigned {
		t.Errorf("by hand %s, want %s", by, exampleSigned)
	}
}

// While a secret is changed both sign. Tenants have secrets of their own.
func TestSecrets(t *testing.T) {
	two := secrets(t, "# the new one\n"+"whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 24))+"\n\n"+oneSecret+"\n")
	signed := strings.Fields(two.sign("", exampleID, time.Unix(exampleAt, 0), []byte(exampleBody)))
	if len(signed) != 2 || signed[0] == signed[1] || signed[1] != exampleSigned {
		t.Errorf("%q", signed)
	}
	s, all := secrets(t, oneSecret), map[string]bool{}
	for _, tenant := range []string{"", "a", "b"} {
		texts := s.Reveal(tenant)
		if len(texts) != 1 || all[texts[0]] {
			t.Errorf("tenant %q: %d secrets, or one of another's", tenant, len(texts))
		}
		all[texts[0]] = true
		by := "v1," + base64.StdEncoding.EncodeToString(hmacByHand(keyOf(t, texts[0]), fmt.Sprintf("%s.%d.%s", exampleID, exampleAt, exampleBody)))
		if got := s.sign(tenant, exampleID, time.Unix(exampleAt, 0), []byte(exampleBody)); got != by {
			t.Errorf("tenant %q: %s, want %s", tenant, got, by)
		}
		if shown := fmt.Sprintf("%v %+v %#v %s %d %x", s, s, s, s, s, struct{ S Secrets }{s}); strings.Contains(shown, strings.TrimPrefix(texts[0], "whsec_")) || strings.Contains(shown, "77 242") {
			t.Errorf("it shows: %s", shown)
		}
	}
	if !all[oneSecret] {
		t.Error("the file's own secret is nobody's")
	}
	for _, bad := range []string{"", "# only\n", "whsec_", "whsec_AAAA", strings.TrimPrefix(oneSecret, "whsec_"), oneSecret + "!", oneSecret + "\n" + oneSecret + "\n" + oneSecret,
		"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))} {
		if _, err := ParseSecrets(bad); err == nil {
			t.Errorf("%q was taken", bad)
		} else if len(bad) > 10 && strings.Contains(err.Error(), bad[6:10]) {
			t.Errorf("the error shows it: %v", err)
		}
	}
}

func TestSecretFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "secret")
	if _, err := LoadSecrets(name); err == nil {
		t.Error("there is none")
	}
	made, err := CreateSecrets(name)
	if err != nil {
		t.Fatal(err)
	}
	again, err := CreateSecrets(name)
	if err != nil || again.Reveal("")[0] != made.Reveal("")[0] || len(keyOf(t, made.Reveal("")[0])) != 32 {
		t.Errorf("another one was made, or a short one: %v", err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateSecrets(name); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("others can read it: %v", err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, make([]byte, secretsMax+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSecrets(name); err == nil {
		t.Error("a file without end was taken")
	}
	if left, _ := filepath.Glob(name + "-*"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestDelay(t *testing.T) {
	for attempt, middle := range map[int]time.Duration{1: 5 * time.Second, 2: 25 * time.Second, 3: 125 * time.Second, 6: 4 * time.Hour, 1000: 4 * time.Hour} {
		least, most := time.Duration(1<<62), time.Duration(0)
		for range 200 {
			d := Delay(attempt)
			least, most = min(least, d), max(most, d)
		}
		if least < middle/2 || most >= middle+middle/2 || most-least < middle/2 {
			t.Errorf("attempt %d: %v to %v, want about %v", attempt, least, most, middle)
		}
	}
}
