// Package web holds the page of the service: what make web has built of web/src, or, in a
// binary that was built without that, a plain page that says so.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed all:assets
var embedded embed.FS

const (
	builtDir  = "assets/dist"
	plainFile = "assets/plain.html"
	// Below this path lie files with a hash of their content in their names.
	hashed = "/assets/"
)

// views are the paths that the page itself tells apart.
var views = []string{"/", "/status", "/api"}

// kinds by the ending of a name. The machine's own tables are not asked: with nosniff a script
// that they take for text would not run.
var kinds = map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}

// file is what is answered at a path.
type file struct {
	kind  string
	plain []byte
	tag   string
	kept  bool              // its content never changes under its name
	packs map[string][]byte // by Content-Encoding
}

// Page answers requests for the page.
type Page struct {
	files map[string]*file
	built bool
}

// New reads what is embedded.
func New() (*Page, error) { return newPage(embedded) }

func newPage(from fs.FS) (*Page, error) {
	p := &Page{files: map[string]*file{}}
	if _, err := fs.Stat(from, builtDir+"/index.html"); err != nil { // built without make web
		plain, err := fs.ReadFile(from, plainFile)
		if err != nil {
			return nil, err
		}
		p.add("/", newFile(plainFile, plain))
		return p, nil
	}
	p.built = true
	err := fs.WalkDir(from, builtDir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		content, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		if kinds[path.Ext(name)] == "" && encodings[path.Ext(name)] == "" {
			return fmt.Errorf("%s: nothing is known of files with this ending; give them a kind", name)
		}
		p.place(strings.TrimPrefix(name, builtDir), content)
		return nil
	})
	return p, err
}

// encodings by the ending of a packed file's name.
var encodings = map[string]string{".br": "br", ".gz": "gzip"}

// place puts a built file where it is asked for; a packed one comes right behind the file
// itself.
func (p *Page) place(at string, content []byte) {
	if encoding := encodings[path.Ext(at)]; encoding != "" {
		if of := p.files[where(strings.TrimSuffix(at, path.Ext(at)))]; of != nil {
			of.packs[encoding] = content
		}
		return
	}
	p.add(where(at), newFile(at, content))
}

func where(at string) string {
	if at == "/index.html" {
		return "/"
	}
	return at
}

func (p *Page) add(at string, f *file) {
	f.kept = strings.HasPrefix(at, hashed)
	p.files[at] = f
	if at == "/" {
		for _, view := range views {
			p.files[view] = f
		}
	}
}

func newFile(name string, content []byte) *file {
	sum := sha256.Sum256(content)
	return &file{kind: kinds[path.Ext(name)], plain: content, tag: hex.EncodeToString(sum[:12]), packs: map[string][]byte{}}
}

// Built says whether the page is there, and not only what stands in for it.
func (p *Page) Built() bool { return p.built }

// Has says whether something is served at a path.
func (p *Page) Has(at string) bool { return p.files[at] != nil }

// ServeHTTP answers for the paths that Has.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := p.files[r.URL.EscapedPath()]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	encoding, content := f.best(r.Header.Values("Accept-Encoding"))
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", f.etag(encoding))
	h.Set("Cache-Control", "no-cache") // asked for each time, and mostly answered with 304
	if f.kept {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if strings.HasPrefix(f.kind, "text/html") {
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	}
	if matches(r.Header.Values("If-None-Match"), f.etag(encoding)) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
}

// etag names what is answered, byte for byte: packed it is another.
func (f *file) etag(encoding string) string {
	if encoding == "" {
		return `"` + f.tag + `"`
	}
	return `"` + f.tag + "-" + encoding + `"`
}

// best is the smallest form that the client takes.
func (f *file) best(accepted []string) (string, []byte) {
	takes := taken(accepted)
	for _, encoding := range []string{"br", "gzip"} {
		if content := f.packs[encoding]; content != nil && takes[encoding] {
			return encoding, content
		}
	}
	return "", f.plain
}

// taken reads Accept-Encoding: names, each with a weight, where 0 means never.
func taken(values []string) map[string]bool {
	out := map[string]bool{}
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, weight, _ := strings.Cut(part, ";")
		weight = strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		out[strings.ToLower(strings.TrimSpace(name))] = weight == "" || err == nil && q > 0
	}
	return out
}

func matches(values []string, tag string) bool {
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == tag || part == "*" {
			return true
		}
	}
	return false
}
