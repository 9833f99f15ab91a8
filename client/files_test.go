package client

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	const content = "some content"
	sum, err := Sum(strings.NewReader(content))
	if err != nil || len(sum) != 64 {
		t.Fatalf("%q %v", sum, err)
	}
	var got []string
	keep := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, r.Method+" "+r.URL.Path+" "+string(body))
		says(201, "application/json", `{"sha256":"`+sum+`","size_bytes":12}`)(w, r)
	}
	s, c := serve(t, fails(503, ErrQueueFull, "Retry-After", "0"), breaks, keep)
	from := strings.NewReader("not this:" + content)
	_, _ = from.Seek(9, io.SeekStart)
	if kept, err := c.PutFile(t.Context(), sum, from); err != nil || kept.SizeBytes != 12 || len(s.requests()) != 3 || s.requests()[2].ContentLength != 12 {
		t.Errorf("%+v %v, %d requests", kept, err, len(s.requests()))
	}
	if _, err := c.PutFile(t.Context(), sum, bytes.NewReader(nil)); err != nil || s.requests()[3].ContentLength != 0 {
		t.Errorf("an empty file: %v", err)
	}
	s, c = serve(t, breaks, keep)
	if _, err := c.PutFile(t.Context(), sum, io.MultiReader(strings.NewReader(content))); err == nil || len(s.requests()) != 1 {
		t.Errorf("what cannot be read again is sent again: %v", err)
	}
	if _, err := c.PutFile(t.Context(), sum, io.MultiReader(strings.NewReader(content))); err != nil {
		t.Error(err)
	}
	s.requests()
	if want := "PUT /v1/files/" + sum + " "; strings.Join(got, "|") != want+content+"|"+want+"|"+want+content {
		t.Errorf("%q", got)
	}
}

// What is not the file that was asked for is an error, at its end at the latest.
func TestGetFile(t *testing.T) {
	sum, _ := Sum(strings.NewReader("some content"))
	cut := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "12")
		_, _ = w.Write([]byte("some con"))
		_ = http.NewResponseController(w).Flush()
		breaks(w, r)
	}
	for name, one := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{"it": {says(200, "application/octet-stream", "some content"), ""}, "another": {says(200, "application/octet-stream", "some contend"), "SHA-256"}, "a part": {cut, "EOF"}} {
		_, c := serve(t, one.answer)
		r, err := c.GetFile(t.Context(), sum)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(r)
		if (err == nil) != (one.want == "") || err != nil && !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s: %v", name, err)
		}
		r.Close()
	}
}

func TestPrinted(t *testing.T) {
	text, encoded := "a", "/w=="
	if b, err := (&RunResult{StdoutBase64: encoded}).StdoutBytes(); string(b) != "\xff" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if b, err := (&RunResult{Stderr: text}).StderrBytes(); string(b) != "a" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if b, err := (&FileResult{Base64: &encoded}).Data(); string(b) != "\xff" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if b, err := (&FileResult{Content: &text}).Data(); string(b) != "a" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if f := FileOf("x", 0o755, []byte{0xff}); *f.Base64 != encoded || *f.Mode != 493 || f.Path != "x" {
		t.Errorf("%+v", f)
	}
}
