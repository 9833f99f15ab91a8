package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cordon/policy"
	"cordon/rootfs"
	"cordon/tenants"
)

// shelf has images by their names; one that is called damaged is.
type shelf []string

var errShelf = errors.New("layer sha256:1: damaged: import it again")

func (s shelf) info(name string) *rootfs.ImageInfo {
	return &rootfs.ImageInfo{Image: policy.Image{Asked: name, ID: "sha256:of-" + name, Names: []string{name}}, Tags: []string{name}, Cmd: []string{"run"}, Dir: "/w"}
}

func (s shelf) Find(name string) (*rootfs.ImageInfo, error) {
	if name == "damaged:1" {
		return nil, errShelf
	}
	for _, n := range s {
		if n == name {
			return s.info(n), nil
		}
	}
	return nil, fmt.Errorf("%w: %q", rootfs.ErrUnknownImage, name)
}

func (s shelf) List() (all []*rootfs.ImageInfo, err error) {
	for _, n := range s {
		all = append(all, s.info(n))
	}
	return append(all, &rootfs.ImageInfo{Image: policy.Image{ID: "sha256:nameless"}}), nil
}

func (s shelf) Look(string, func(rootfs.Files) error) error { return errShelf }

func (s shelf) Hold(string) (rootfs.HeldImage, error) { return nil, errShelf }

// TestImages: what is not there is told with what is, and nobody is shown an image that no
// policy of his allows.
func TestImages(t *testing.T) {
	var many shelf
	for i := range 30 {
		many = append(many, fmt.Sprintf("x%02d:1", i))
	}
	s := startTenants(t, func(c *Config) { c.Images = append(shelf{"debian:12"}, many...) }, "a")
	for body, want := range map[string]struct {
		code        Code
		path, words string
	}{
		`{"image":"none:1"}`:                           {CodeUnknownImage, "image", "there are debian:12, x00:1"},
		`{"image":"damaged:1"}`:                        {CodeInvalidField, "image", "import it again"},
		`{"user":"x","command":["x"]}`:                 {CodeInvalidField, "user", "without image"},
		`{"working_dir":"/","command":["x"]}`:          {CodeInvalidField, "working_dir", "without image"},
		`{"image":"debian:12","root_dirs":["/srv/x"]}`: {CodePolicyDenied, "root_dirs", "name an image or directories"},
	} {
		r := s.run(t, body)
		r.wants(t, want.code, want.path)
		if !strings.Contains(string(r.body), want.words) {
			t.Errorf("%s: %s", body, r.body)
		}
	}
	if r := s.run(t, `{"image":"none:1"}`); !strings.Contains(string(r.body), "11 more") {
		t.Errorf("%s", r.body)
	}
	list := func(key string) (out ImageList) {
		t.Helper()
		r := s.as(t, key, "GET", "/v1/images", "")
		if err := json.Unmarshal(r.body, &out); err != nil || strings.Contains(string(r.body), "null") {
			t.Errorf("%s: %v", r.body, err)
		}
		return out
	}
	if all := list(s.keys["a"]).Images; len(all) != 32 || len(all[0].Policies) != 5 || all[0].Command[0] != "run" || all[0].WorkingDir != "/w" {
		t.Errorf("%+v", all)
	}
	s.limit(t, "a", tenants.Limits{Policies: []string{"judge"}})
	if all := list(s.keys["a"]).Images; len(all) != 32 || strings.Join(all[0].Policies, " ") != "judge" {
		t.Errorf("%+v", all)
	}
	s.limit(t, "a", tenants.Limits{Policies: []string{"none"}})
	if all := list(s.keys["a"]).Images; len(all) != 0 {
		t.Errorf("%+v", all)
	}
}
