package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"cordon/image"
)

// TestShowImage: an image says of itself what it likes, and nothing; a terminal sees text.
func TestShowImage(t *testing.T) {
	var out bytes.Buffer
	if err := showImage(&out, &image.Image{ID: "sha256:1", Config: []byte(`{"rootfs":{"type":"layers"}}`)}); err != nil || !strings.Contains(out.String(), "names none") {
		t.Errorf("%v: %s", err, &out)
	}
	out.Reset()
	evil := fmt.Sprintf(`{"os":"linux","architecture":"amd64","config":{"Env":[%q],"User":"a\u001b[31mb\u202ec\u009bd\nfake row"}}`, "É=ü 漢")
	if err := showImage(&out, &image.Image{Config: []byte(evil)}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e\u009b\x07") || !strings.Contains(out.String(), "a [31mb c d fake row") || !strings.Contains(out.String(), "É=ü 漢") {
		t.Errorf("%q", out.String())
	}
}
