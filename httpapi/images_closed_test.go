package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"cordon/languages"
	"cordon/policy"
	"cordon/rootfs"
)

// listing has policies that list images themselves: ci one name, judge a digest, and the
// others none.
type listing struct{ Policies }

func (l listing) Get(name string) (*policy.Policy, error) {
	p, err := l.Policies.Get(name)
	if err != nil {
		return nil, err
	}
	own := *p
	own.Root.Images = nil
	for of, image := range map[string]string{"ci": "open", "judge": "sha256:both"} {
		if of == name {
			own.Root.Images = []policy.ImageRule{{Image: image, Reason: "a test's"}}
		}
	}
	return &own, nil
}

func (l listing) Resolve(name string, q policy.Request) (*policy.Grant, error) {
	p, err := l.Get(name)
	if err != nil {
		return nil, err
	}
	return policy.Resolve(q, p)
}

// cabinet has an image that two policies allow, each by another of what it is known as, and one
// that none does. It notes what it is asked for.
type cabinet struct{ looked *int }

var errLooked = errors.New("looked into")

var inCabinet = []*rootfs.ImageInfo{
	{Image: policy.Image{Asked: "open:1", ID: "sha256:both", Names: []string{"open:1", "others/secret:1"}}, Tags: []string{"open:1", "others/secret:1"}, Cmd: []string{"run"}},
	{Image: policy.Image{Asked: "closed:1", ID: "sha256:closed", Names: []string{"closed:1"}}, Tags: []string{"closed:1"}, Cmd: []string{"run"}},
}

func (c cabinet) Find(name string) (*rootfs.ImageInfo, error) {
	for _, i := range inCabinet {
		if name == i.ID || slices.Contains(i.Names, name) {
			return i, nil
		}
	}
	if name == "damaged:1" {
		return nil, errShelf
	}
	return nil, &rootfs.UnknownImageError{Image: policy.Image{Asked: name, Names: []string{name}}}
}

func (c cabinet) List() ([]*rootfs.ImageInfo, error) { return inCabinet, nil }

func (c cabinet) Look(string, func(rootfs.Files) error) error { *c.looked++; return errLooked }

func (c cabinet) Hold(string) (rootfs.HeldImage, error) { *c.looked++; return nil, errLooked }

// TestImagesClosed: of an image that the policy does not allow nobody learns what is in it, nor
// that there is one, and of one that it allows nobody learns other names.
func TestImagesClosed(t *testing.T) {
	looked := 0
	s := startTenants(t, func(c *Config) {
		c.Images, c.Policies = cabinet{&looked}, listing{shippedPolicies()}
	}, "a")
	for _, rest := range []string{`"command":["x"]`, `"language":"python","source":""`, `"id_range":true,"user":"www","command":["x"]`, `"working_dir":"x"`} {
		job := func(image string) string { return `{"policy":"ci","image":"` + image + `",` + rest + `}` }
		for _, there := range []string{"closed:1", "damaged:1"} {
			r := s.as(t, s.keys["a"], "POST", runPath, job(there))
			r.wants(t, CodePolicyDenied, "image")
			like(t, rest, r, s.as(t, s.keys["a"], "POST", runPath, job("nosuch:1")), there, "nosuch:1")
		}
	}
	if looked > 0 {
		t.Errorf("looked into an image %d times that the job may not have", looked)
	}
	s.as(t, s.keys["a"], "POST", runPath, `{"policy":"ci","image":"open:1","id_range":true,"user":"www","command":["x"]}`).wants(t, CodeInvalidField, "image")
	if looked == 0 {
		t.Error("an image that is allowed was not looked into: this test is of no use")
	}
	for name, want := range map[string]string{"ci": "there are open:1\"", "judge": "there are sha256:both\""} {
		p := s.notFoundUnder(t, name)
		if !strings.Contains(p, want) || strings.Contains(p, "secret") {
			t.Errorf("%s: %s, want %s", name, p, want)
		}
	}
	var list ImageList
	r := s.as(t, s.keys["a"], "GET", "/v1/images", "")
	if err := json.Unmarshal(r.body, &list); err != nil || len(list.Images) != 1 || strings.Join(list.Images[0].Names, " ") != "open:1" {
		t.Errorf("%s: %v", r.body, err)
	}
}

// toolbox is a root that has every tool.
type toolbox struct{}

func (toolbox) Stat(string) (fs.FileMode, error) { return 0o755, nil }

func (toolbox) Names(string) ([]string, error) { return nil, nil }

// furnished is a cabinet whose images have every tool.
type furnished struct{ cabinet }

func (f furnished) Look(_ string, do func(rootfs.Files) error) error { return do(toolbox{}) }

// bare is a host without any language.
type bare struct{ *languages.Set }

func (bare) Plan(name string) (languages.Plan, error) {
	return languages.Plan{}, fmt.Errorf("%w: %s", languages.ErrMissing, name)
}

// TestProgramsOnImage: the tools of further programs are the image's, too, and an image that
// cannot be looked into is what is told.
func TestProgramsOnImage(t *testing.T) {
	looked := 0
	s := startTenants(t, func(c *Config) { c.Images, c.Languages = furnished{cabinet{&looked}}, bare{unsearched(t)} }, "a")
	r := s.as(t, s.keys["a"], "POST", runPath, `{"image":"open:1","language":"python","source":"","programs":[{"name":"a","language":"python","source":""},{"name":"b","same_as":"main"}],"pipes":[{"from":"main","to":"a"},{"from":"a","to":"b"}]}`)
	if r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	s = startTenants(t, func(c *Config) { c.Images = cabinet{&looked} }, "a")
	r = s.as(t, s.keys["a"], "POST", runPath, `{"image":"open:1","language":"python","source":""}`)
	r.wants(t, CodeInvalidField, "image")
}

// notFoundUnder is what a job under a policy is told there is.
func (s *tenanted) notFoundUnder(t *testing.T, name string) string {
	t.Helper()
	if name == "ci" {
		return string(s.as(t, s.keys["a"], "POST", runPath, `{"policy":"ci","image":"open:2","command":["x"]}`).body)
	}
	return `"` + s.imagesFor(name) + `"`
}
