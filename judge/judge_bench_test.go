package judge

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Benchmarks with outputs of 16 MiB. For benchstat:
//
//	go test -run '^$' -bench . -count 10 ./judge | tee new.txt

const benchBytes = 16 << 20

// numbers is 16 MiB of lines of numbers, nearly all of them different, and the same
// numbers with fewer digits.
func numbers() (full, rounded []byte) {
	random := rand.New(rand.NewPCG(1, 2))
	for len(full) < benchBytes {
		whole, part := random.Uint32(), random.Float64()
		full = fmt.Appendf(full, "%d %.9f\n", whole, part)
		rounded = fmt.Appendf(rounded, "%d %.7f\n", whole, part)
	}
	return full, rounded
}

func BenchmarkCompare(b *testing.B) {
	expected, rounded := numbers()
	crlf := bytes.ReplaceAll(expected, []byte{'\n'}, []byte("\r\n"))
	onBound := bytes.Repeat([]byte("1\n"), benchBytes/9)
	reversed := bytes.Split(bytes.TrimSpace(expected), []byte{'\n'})
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	oneDigit := append(bytes.Repeat([]byte{'9'}, benchBytes), '\n')
	otherDigit := append(bytes.Repeat([]byte{'9'}, benchBytes), '0', '\n')
	for _, c := range []struct {
		name          string
		how           Comparison
		expected, got []byte
		equal         bool
	}{
		{"same", Comparison{Mode: Tokens}, expected, bytes.Clone(expected), true},
		{"exact/last-byte", Comparison{Mode: Exact}, expected, append(expected[:len(expected)-1:len(expected)-1], ' '), false},
		{"trim/crlf", Comparison{Mode: Trim}, expected, crlf, true},
		{"tokens/crlf", Comparison{Mode: Tokens}, expected, crlf, true},
		{"float/rounded", Comparison{Mode: Float, Abs: 1e-6, Rel: 0}, expected, rounded, true},
		{"float/on-the-bound", Comparison{Mode: Float, Abs: 1e-6, Rel: 0}, onBound, bytes.Repeat([]byte("1.000001\n"), benchBytes/9), true},
		{"float/one-number", Comparison{Mode: Float, Abs: 0, Rel: 1e-6}, oneDigit, otherDigit, false},
		{"unordered/reversed", Comparison{Mode: UnorderedLines}, expected, bytes.Join(reversed, []byte{'\n'}), true},
		{"unordered/short-lines", Comparison{Mode: UnorderedLines}, bytes.Repeat([]byte("a\nb\n"), benchBytes/4), bytes.Repeat([]byte("b\na\n"), benchBytes/4), true},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.expected) + len(c.got)))
			b.ReportAllocs()
			for b.Loop() {
				if d := c.how.Compare(c.expected, c.got); (d == nil) != c.equal {
					b.Fatal(d)
				}
			}
		})
	}
}

func BenchmarkOutcome(b *testing.B) {
	stderr := []byte("points 0.75 three of four\n")
	b.ReportAllocs()
	for b.Loop() {
		if o := Outcome(Testlib, 7, stderr); o.Points == nil {
			b.Fatal(o)
		}
	}
}
