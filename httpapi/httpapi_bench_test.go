package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"cordon/sandbox"
)

// bodies are requests of every size.
func bodies() map[string][]byte {
	file := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("cordon"), 1<<20/6))
	var many []string
	for i := range 256 {
		many = append(many, fmt.Sprintf(`{"path": "in/%d", "content": "x"}`, i))
	}
	return map[string][]byte{
		"small": []byte(`{"command": ["/bin/true"]}`),
		"usual": []byte(`{"policy": "judge", "language": "cpp", "source": "int main() { return 0; }", "stdin": "1 2\n", ` +
			`"limits": {"cpu_ms": 1000, "memory_bytes": 67108864}, "env": {"A": "b"}}`),
		"file of 1 MiB": []byte(`{"command": ["./a"], "files": [{"path": "a", "base64": "` + file + `"}]}`),
		"256 files":     []byte(`{"command": ["ls"], "files": [` + strings.Join(many, ", ") + `]}`),
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, body := range bodies() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, p := decodeRun(body); p != nil {
					b.Fatal(p)
				}
			}
		})
	}
}

func BenchmarkResult(b *testing.B) {
	text := *results["ok"]
	text.Stdout = bytes.Repeat([]byte("a line of text\n"), 1<<20/15)
	data := text
	data.Stdout = bytes.Repeat([]byte{0xff, 0, 1, 2}, 1<<20/4)
	for name, r := range map[string]*sandbox.Result{"small": results["ok"], "1 MiB of text": &text, "1 MiB of bytes": &data} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(r.Stdout)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := json.Marshal(NewResult(r)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
