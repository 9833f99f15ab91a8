package store

import (
	"fmt"
	"strings"
)

// sumLen is the length of a SHA-256 in hexadecimal digits.
const sumLen = 64

// CheckSum says why a text is no name of a file: 64 lower-case hexadecimal digits, as
// sha256sum prints them, are one.
func CheckSum(sum string) error {
	if len(sum) != sumLen {
		return fmt.Errorf("%w: %d characters given, 64 lower-case hexadecimal digits are wanted", ErrBadSum, len(sum))
	}
	for i := range sumLen {
		if c := sum[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("%w: character %d is %q, 64 lower-case hexadecimal digits are wanted", ErrBadSum, i+1, c)
		}
	}
	return nil
}

// bucket is the directory of a file: one of 256.
func bucket(sum string) string { return sum[:2] }

// isBucket says whether a name is that of such a directory.
func isBucket(name string) bool {
	return len(name) == 2 && CheckSum(strings.Repeat(name, sumLen/2)) == nil
}

// nameOf is the place of a file below the store's directory. The sum was checked.
func nameOf(sum string) string { return bucket(sum) + "/" + sum }

// emptySum is the hash of no bytes at all.
const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
