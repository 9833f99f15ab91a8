package httpapi

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Token is the bearer token of the API. Nothing prints it by accident: every
// formatting verb and slog show a placeholder. It is held by a pointer because fmt
// asks no method of a value inside an unexported field, and prints what it finds:
// of a pointer, the address.
type Token struct{ secret *string }

const redacted = "[token]"

// tokenMin keeps a token from being guessed.
const tokenMin = 16

// NewToken takes a token that the operator chose.
func NewToken(secret string) (Token, error) {
	if len(secret) < tokenMin || len(secret) > 1024 || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Token{}, fmt.Errorf("token: %d to 1024 printable ASCII characters without spaces are wanted, %d were given", tokenMin, len(secret))
	}
	return Token{&secret}, nil
}

// String hides it.
func (Token) String() string { return redacted }

// Format hides it from every verb: String alone is not asked for %d.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides it from encoders and slog.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal gives the secret itself, for cordon token.
func (t Token) Reveal() string {
	if t.secret == nil {
		return ""
	}
	return *t.secret
}

// Conceal takes the token out of a text that a client wrote, such as the path of
// a URL into which it was put by mistake.
func (t Token) Conceal(text string) string {
	if t.secret == nil {
		return text
	}
	return strings.ReplaceAll(text, *t.secret, redacted)
}

// Is compares without telling by its time how much was right, nor how long the
// token is.
func (t Token) Is(given string) bool {
	a, b := sha256.Sum256([]byte(t.Reveal())), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && t.secret != nil
}

// TokenFile is the name of the token in the state directory.
const TokenFile = "token"

// LoadOrCreateToken takes the token of CORDON_TOKEN, else that of the state
// directory, and makes one there at the first start. The file is 0600.
func LoadOrCreateToken(state string) (Token, error) {
	if t, err := LoadToken(state); !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	name := filepath.Join(state, TokenFile)
	secret := rand.Text()
	f, err := os.CreateTemp(state, TokenFile+"-*") // 0600
	if err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(secret + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	// A link appears whole or not at all, and never takes the place of a file:
	// neither a crash nor another start leaves a token that is empty.
	err = os.Link(f.Name(), name)
	if errors.Is(err, fs.ErrExist) { // another start was faster
		return LoadToken(state)
	}
	if err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	return Token{&secret}, nil
}

// LoadToken reads the token without making one.
func LoadToken(state string) (Token, error) {
	if secret, ok := os.LookupEnv("CORDON_TOKEN"); ok {
		t, err := NewToken(secret)
		if err != nil {
			return t, fmt.Errorf("CORDON_TOKEN: %w", err)
		}
		return t, nil
	}
	name := filepath.Join(state, TokenFile)
	info, err := os.Stat(name)
	if err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Token{}, fmt.Errorf("token: %s can be read by others (mode %04o); run: chmod 600 %s", name, info.Mode().Perm(), name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	t, err := NewToken(strings.TrimSpace(string(data)))
	if err != nil {
		return t, fmt.Errorf("%s: %w; remove the file to get a new one", name, err)
	}
	return t, nil
}
