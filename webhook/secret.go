package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	secretPrefix = "whsec_"
	secretMin    = 24 // bytes, as Standard Webhooks has it
	secretMax    = 64
	secretMade   = 32
	maxSecrets   = 2
	secretsMax   = 4 << 10 // bytes of the file
)

// Secrets sign messages: one, or while it is changed two, the new one first. Nothing
// prints them by accident; see httpapi.Token.
type Secrets struct{ keys *[][]byte }

// String hides them.
func (Secrets) String() string { return "[secrets]" }

// Format hides them from every verb.
func (s Secrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText hides them from encoders and slog.
func (s Secrets) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseSecrets reads a file with one secret, or two, each in a line of its own. Lines that
// are empty or begin with # do not count.
func ParseSecrets(text string) (Secrets, error) {
	var keys [][]byte
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		encoded, found := strings.CutPrefix(line, secretPrefix)
		key, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !found || err != nil || len(key) < secretMin || len(key) > secretMax {
			return Secrets{}, fmt.Errorf("line %d: %s and base64 of %d to %d bytes are wanted", n+1, secretPrefix, secretMin, secretMax)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 || len(keys) > maxSecrets {
		return Secrets{}, fmt.Errorf("%d secrets given; one is wanted, or while it is changed two, the new one first", len(keys))
	}
	return Secrets{&keys}, nil
}

// LoadSecrets reads a file that nobody else can.
func LoadSecrets(name string) (Secrets, error) {
	f, err := os.Open(name)
	if err != nil {
		return Secrets{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Secrets{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Secrets{}, fmt.Errorf("%s can be read by others (mode %04o); run: chmod 600 %s", name, info.Mode().Perm(), name)
	}
	text, err := io.ReadAll(io.LimitReader(f, secretsMax+1))
	if err != nil {
		return Secrets{}, err
	}
	if len(text) > secretsMax {
		return Secrets{}, fmt.Errorf("%s: larger than %d bytes", name, secretsMax)
	}
	s, err := ParseSecrets(string(text))
	if err != nil {
		return Secrets{}, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// CreateSecrets makes a file with a new secret where there is none, and reads it.
func CreateSecrets(name string) (Secrets, error) {
	if s, err := LoadSecrets(name); !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	key := make([]byte, secretMade)
	_, _ = rand.Read(key)                                                 // never fails
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+"-*") // 0600
	if err != nil {
		return Secrets{}, err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(secretText(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return Secrets{}, err
	}
	// A link appears whole or not at all, and never takes the place of a file.
	if err := os.Link(f.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return Secrets{}, err
	}
	return LoadSecrets(name)
}

func secretText(key []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(key) }

// of are the keys for messages to a tenant. Each tenant has its own, made from the file's
// with its name: whoever can check the messages to one cannot sign any to another. The
// tenant "" is nobody in particular, and has the file's own.
func (s Secrets) of(tenant string) (keys [][]byte) {
	for _, key := range *s.keys {
		if tenant != "" {
			key = sum(key, "cordon webhook tenant "+tenant)
		}
		keys = append(keys, key)
	}
	return keys
}

func sum(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Reveal gives what a tenant's receivers check signatures with, for the command line.
func (s Secrets) Reveal(tenant string) (texts []string) {
	for _, key := range s.of(tenant) {
		texts = append(texts, secretText(key))
	}
	return texts
}

// sign is the header webhook-signature of a message.
func (s Secrets) sign(tenant, id string, at time.Time, body []byte) string {
	signed := id + "." + strconv.FormatInt(at.Unix(), 10) + "." + string(body)
	var all []string
	for _, key := range s.of(tenant) {
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(sum(key, signed)))
	}
	return strings.Join(all, " ")
}
