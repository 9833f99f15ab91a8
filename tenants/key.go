package tenants

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"regexp"
	"strings"
)

const (
	keyPrefix   = "cordon_"
	idLength    = 10 // base32: 50 bits, so that two are never the same by chance
	secretBytes = 20
	secretText  = 32 // of those, as base32
	checkText   = 7  // of the four bytes of the checksum
)

// letters are base32 in lower case: no two of them look alike, and a key is marked by a
// double click as a whole.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newID names a key.
func newID() string {
	var b [7]byte
	fillRandom(b[:])
	return letters.EncodeToString(b[:])[:idLength]
}

// newKey makes the text of a key, which is shown once, and what is kept of it.
func newKey(id string) (text, sum string) {
	var b [secretBytes]byte
	fillRandom(b[:])
	body := keyPrefix + id + "_" + letters.EncodeToString(b[:])
	text = body + checksum(body)
	return text, sumOf(text)
}

// fillRandom cannot fail: crypto/rand ends the program where the kernel has no random
// bytes.
func fillRandom(b []byte) { _, _ = rand.Read(b) }

func checksum(body string) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], crc32.ChecksumIEEE([]byte(body)))
	return letters.EncodeToString(b[:])
}

// sumOf is what the file has of a key. The ID is in it: a secret is worth nothing under
// another.
func sumOf(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// idOf is the name in a text that has the form of a key, checksum included; else "". All
// of that can be seen by everybody: it tells nothing of which keys there are.
func idOf(text string) string {
	rest, found := strings.CutPrefix(text, keyPrefix)
	if !found || len(rest) != idLength+1+secretText+checkText || rest[idLength] != '_' {
		return ""
	}
	body := text[:len(text)-checkText]
	if strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567_") != "" || checksum(body) != text[len(body):] {
		return ""
	}
	return rest[:idLength]
}

// keyForm finds keys in texts: in logs, and in repositories by whoever looks for lost ones.
var keyForm = regexp.MustCompile(`cordon_[a-z2-7]{10}_[a-z2-7]{39}`)

// Conceal takes keys out of a text that a client wrote, such as the path of a URL into
// which one was put by mistake.
func Conceal(text string) string {
	if !strings.Contains(text, keyPrefix) {
		return text
	}
	return keyForm.ReplaceAllString(text, "[key]")
}
