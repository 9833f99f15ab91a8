package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cordon/languages"
	"cordon/policy"
	"cordon/rootfs"
	"cordon/sandbox"
)

// ImageList is the answer of GET /v1/images.
type ImageList struct {
	Images []ImageInfo `json:"images"`
}

// ImageInfo is an image that jobs can name.
type ImageInfo struct {
	ID         string    `json:"id" doc:"Digest of its configuration"`
	Names      []string  `json:"names" doc:"By which jobs name it, NAME:TAG each; it can be named by its id as well"`
	Policies   []string  `json:"policies" doc:"Under which jobs may name it"`
	Platform   string    `json:"platform"`
	Layers     int       `json:"layers"`
	Bytes      int64     `json:"bytes" doc:"Of its files, unpacked"`
	Added      time.Time `json:"added"`
	Command    []string  `json:"command" doc:"What runs where a job gives no command"`
	User       string    `json:"user,omitempty" doc:"Who a job with id_range is that names nobody; root when absent"`
	WorkingDir string    `json:"working_dir,omitempty" doc:"Where a job starts that has no files and names no directory"`
}

// listImages shows what the client may name: under a policy that it may have.
func (s *Server) listImages(ctx context.Context, _ *empty) (*answer[ImageList], error) {
	out := ImageList{Images: []ImageInfo{}}
	if s.config.Images == nil {
		return &answer[ImageList]{out}, nil
	}
	all, err := s.config.Images.List()
	if err != nil {
		return nil, problem(CodeInternal, "", err.Error())
	}
	for _, i := range all {
		info := ImageInfo{ID: i.ID, Names: []string{}, Policies: s.policiesOf(tenantOf(ctx), i), Platform: i.Platform, Layers: i.Layers, Bytes: i.Bytes,
			Added: i.Added, Command: append(append([]string{}, i.Entrypoint...), i.Cmd...), User: i.User, WorkingDir: i.Dir}
		for _, tag := range i.Tags {
			if len(s.policiesOf(tenantOf(ctx), byName(tag))) > 0 {
				info.Names = append(info.Names, tag)
			}
		}
		if len(info.Policies) > 0 {
			out.Images = append(out.Images, info)
		}
	}
	return &answer[ImageList]{out}, nil
}

// byName is an image by one name alone. One that is allowed by another has names that are
// nobody's business who may not use them.
func byName(tag string) *rootfs.ImageInfo {
	return &rootfs.ImageInfo{Image: policy.Image{Names: []string{tag}}}
}

// policiesOf are those of a tenant's that allow an image.
func (s *Server) policiesOf(tenant string, i *rootfs.ImageInfo) (names []string) {
	for _, p := range s.config.Policies.List() {
		if whole, err := s.config.Policies.Get(p.Name); err == nil && s.mayHave(tenant, p.Name) == nil && whole.Allows(&i.Image) {
			names = append(names, p.Name)
		}
	}
	return names
}

// findImage finds the image that the request names, and asks the policy about it before
// anything is looked up in it: what is in an image that a job may not have, or that there is
// one, it does not learn.
func (s *Server) findImage(j *sandbox.Job, r *RunRequest) *Problem {
	if r.Image == "" {
		return nil
	}
	_, err := j.FindImage(s.config.Images, r.Image)
	asked := policy.Image{Asked: r.Image, Names: []string{r.Image}}
	var unknown *rootfs.UnknownImageError
	switch {
	case err == nil:
		asked = j.Image.Image
	case errors.As(err, &unknown):
		asked.Names = unknown.Image.Names
	}
	if _, p := s.granted(j, policy.Request{Image: &asked}, ""); p != nil {
		return p
	}
	return s.notFound(j, err)
}

// rootOf is where the tools of a job's languages are looked for; nil: on the host.
func (s *Server) rootOf(j *sandbox.Job) *languages.Root {
	if j.Image == nil || j.Image.ID == "" {
		return nil
	}
	return &languages.Root{ID: j.Image.ID, Path: j.Image.Path(), Look: func(do func(languages.Files) error) error {
		return s.config.Images.Look(j.Image.ID, func(f rootfs.Files) error { return do(f) })
	}}
}

// useImage gives the job the image that the request names. Where a build or a test places
// files, programs look for them in /work.
func (s *Server) useImage(j *sandbox.Job, r *RunRequest) *Problem {
	placed := len(j.Files) > 0 || len(j.Build) > 0 || len(r.Tests) > 0
	err := j.UseImage(s.config.Images, sandbox.ImageRequest{Name: r.Image, User: r.User, Dir: r.WorkingDir, Range: r.IDRange, Placed: placed})
	return s.notFound(j, err)
}

// notFound is the answer to a job whose image is not to be had.
func (s *Server) notFound(j *sandbox.Job, err error) *Problem {
	if errors.Is(err, sandbox.ErrUnknownImage) {
		return problem(CodeUnknownImage, "image", err.Error()+"; "+s.imagesFor(j.Policy))
	}
	if err != nil {
		if p := refusal(err); p != nil {
			return p
		}
		return problem(CodeInternal, "image", err.Error())
	}
	return nil
}

// mostImagesNamed is how many images an error names.
const mostImagesNamed = 20

// imagesFor tells what a job under the policy can name.
func (s *Server) imagesFor(name string) string {
	none := fmt.Sprintf("there is none for jobs under policy %s: the operator brings images in by cordon image", name)
	p, err := s.config.Policies.Get(name)
	if err != nil || s.config.Images == nil {
		return none
	}
	all, err := s.config.Images.List()
	if err != nil {
		return none
	}
	var names []string
	for _, i := range all {
		if !p.Allows(&i.Image) {
			continue
		}
		known := len(names)
		for _, tag := range i.Tags {
			if p.Allows(&byName(tag).Image) {
				names = append(names, tag)
			}
		}
		if len(names) == known && len(i.Tags) > 0 { // allowed by a digest
			names = append(names, i.ID)
		}
	}
	switch {
	case len(names) == 0:
		return none
	case len(names) > mostImagesNamed:
		return fmt.Sprintf("there are %s and %d more: GET /v1/images", strings.Join(names[:mostImagesNamed], ", "), len(names)-mostImagesNamed)
	}
	return "there are " + strings.Join(names, ", ")
}
