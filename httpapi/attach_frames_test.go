package httpapi

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestDecodeFrame(t *testing.T) {
	for text, want := range map[string]attachFrame{
		`{"type":"resize","rows":1,"cols":4096}`: {resize: &attachSize{1, 4096}},
		`{"type":"signal","signal":"TERM"}`:      {signal: "TERM"},
		` {"type" : "close_stdin"} `:             {closing: true},
	} {
		if got, err := decodeFrame(false, []byte(text)); err != nil || fmt.Sprint(got.resize) != fmt.Sprint(want.resize) || got.signal != want.signal || got.closing != want.closing || got.stdin != nil {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{``, `{}`, `null`, `[]`, `{"type":"x"}`, `{"type":"resize","rows":1}`, `{"type":"resize","rows":0,"cols":1}`, `{"type":"resize","rows":1,"cols":4097}`,
		`{"type":"resize","rows":1.5,"cols":1}`, `{"type":"signal"}`, `{"type":"signal","signal":"SEGV"}`, `{"type":"signal","signal":"INT","rows":1}`, `{"type":"close_stdin","signal":"INT"}`,
		`{"type":"close_stdin","type":"close_stdin"}`, `{"Type":"close_stdin"}`, `{"type":"close_stdin"} x`, `{"type":"close_stdin","more":1}`, `{"type":null}`, `{"type":"close_stdin"` + strings.Repeat(" ", 1024) + "}"} {
		if got, err := decodeFrame(false, []byte(text)); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
	if got, err := decodeFrame(true, []byte("\x00ab")); err != nil || string(got.stdin) != "ab" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := decodeFrame(true, []byte{0}); err != nil || got.stdin == nil {
		t.Errorf("%+v, %v", got, err)
	}
	for _, b := range [][]byte{nil, {1}, {2, 'a'}, {255}} {
		if got, err := decodeFrame(true, b); err == nil {
			t.Errorf("%v: %+v", b, got)
		}
	}
}

// FuzzAttachFrame: whatever a client says is one thing or a sentence of why not, which fits
// into a close frame.
func FuzzAttachFrame(f *testing.F) {
	for _, text := range []string{`{"type":"resize","rows":1,"cols":2}`, `{"type":"signal","signal":"INT"}`, `{"type":"close_stdin"}`, `{"type":1}`, "\x00x", ""} {
		f.Add(true, []byte(text))
		f.Add(false, []byte(text))
	}
	f.Fuzz(func(t *testing.T, binary bool, message []byte) {
		given := bytes.Clone(message)
		got, err := decodeFrame(binary, message)
		if !bytes.Equal(given, message) {
			t.Error("the message was changed")
		}
		if err != nil {
			if len("bad_frame: "+err.Error()) > 123 || got.stdin != nil || got.resize != nil || got.signal != "" || got.closing {
				t.Errorf("%q, %+v", err, got)
			}
			return
		}
		things := 0
		for _, one := range []bool{got.stdin != nil, got.resize != nil, got.signal != "", got.closing} {
			if one {
				things++
			}
		}
		if things != 1 || binary != (got.stdin != nil) || got.stdin != nil && !bytes.Equal(got.stdin, message[1:]) {
			t.Errorf("%+v", got)
		}
		if r := got.resize; r != nil && (r.rows < 1 || r.cols < 1 || r.rows > maxSide || r.cols > maxSide) {
			t.Errorf("%+v", r)
		}
	})
}
