package image

import (
	"fmt"
	"regexp"
	"strings"
)

// Ref names an image: by NAME[:TAG], by NAME@DIGEST of its manifest, or by the digest of
// its configuration, which may be shortened and stand without its algorithm.
type Ref struct {
	Name   string // NAME:TAG, "" where there is a digest alone
	Digest string // "sha256:…" of a manifest with a name, of a configuration without
	Prefix string // of a configuration's digest, hexadecimal
}

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9]+([._-]+[a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
	hostForm   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)
	tagForm    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	prefixForm = regexp.MustCompile(`^[0-9a-f]{8,64}$`)
)

const refMax = 512

// ParseRef reads what a person wrote.
func ParseRef(text string) (Ref, error) {
	wrong := fmt.Errorf("image %s: NAME[:TAG], NAME@sha256:…, or an id of at least 12 hexadecimal digits is wanted", quoted(text))
	if len(text) > refMax {
		return Ref{}, wrong
	}
	if hex := strings.TrimPrefix(text, "sha256:"); hex != text || len(hex) >= 12 && prefixForm.MatchString(hex) {
		if !prefixForm.MatchString(hex) {
			return Ref{}, wrong
		}
		return Ref{Prefix: hex}, nil
	}
	if name, digest, ok := strings.Cut(text, "@"); ok {
		name, _ = cutTag(name)
		name = familiar(name)
		if !digestForm.MatchString(digest) || !validName(name) {
			return Ref{}, wrong
		}
		return Ref{Name: name, Digest: digest}, nil
	}
	name, tag := cutTag(text)
	name = familiar(name)
	if !validName(name) || !tagForm.MatchString(tag) {
		return Ref{}, wrong
	}
	return Ref{Name: name + ":" + tag}, nil
}

// ParseName reads a name that an image is to have.
func ParseName(text string) (string, error) {
	r, err := ParseRef(text)
	if err != nil || r.Name == "" || r.Digest != "" {
		return "", fmt.Errorf("name %s: NAME[:TAG] is wanted, in lower case, as in tools/cc:12; not a digest", quoted(text))
	}
	return r.Name, nil
}

// cutTag: a colon behind the last slash is a tag's, one before it a port's.
func cutTag(text string) (name, tag string) {
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, '/') {
		return text[:i], text[i+1:]
	}
	return text, "latest"
}

// familiar is a name as docker shows it: without the host that it means when there is none.
func familiar(name string) string {
	for _, host := range []string{"docker.io/", "index.docker.io/"} {
		if rest, ok := strings.CutPrefix(name, host); ok {
			return strings.TrimPrefix(rest, "library/")
		}
	}
	return name
}

// validName: the first part may be a host, which may have capitals.
func validName(name string) bool {
	host, rest, ok := strings.Cut(name, "/")
	if ok && strings.ContainsAny(host, ".:") {
		return hostForm.MatchString(host) && nameForm.MatchString(rest) && !strings.Contains(rest, ":")
	}
	return nameForm.MatchString(name) && !strings.Contains(name, ":")
}
