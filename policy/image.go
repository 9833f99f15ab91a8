package policy

import (
	"fmt"
	"slices"
	"strings"
)

// maxImages keeps the list within what a person can review.
const maxImages = 64

// Matches says whether a rule is about an image: by its id or by one of its names. Each *
// of the rule stands for any characters, and a name without a tag for all of its tags.
func (r *ImageRule) Matches(i *Image) bool {
	return matches(r.Image, i.ID) || slices.ContainsFunc(i.Names, func(name string) bool {
		if matches(r.Image, name) {
			return true
		}
		tag := strings.LastIndexByte(name, ':')
		return !strings.ContainsAny(r.Image, "@") && tag > strings.LastIndexByte(name, '/') && !strings.Contains(name, "@") && matches(r.Image, name[:tag])
	})
}

// matches: the first part stands at the beginning, the last at the end, and the others in
// their order between them, each as early as can be.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, p)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// Allows says whether jobs under the policy may name an image.
func (p *Policy) Allows(i *Image) bool {
	return slices.ContainsFunc(p.Root.Images, func(r ImageRule) bool { return r.Matches(i) })
}

func checkImages(c *checker) {
	r := &c.policy.Root
	if n := len(r.Images); n > maxImages {
		c.add("root.images", fmt.Sprintf("%d entries", n), fmt.Sprintf("at most %d", maxImages), "write patterns: each * stands for any characters")
	}
	seen := map[string]bool{}
	for i, rule := range r.Images {
		field := fmt.Sprintf("root.images[%d]", i)
		c.reason(field, rule.Reason)
		if allowed := imageProblem(rule.Image); allowed != "" {
			c.add(field+".image", quoteOrNothing(rule.Image), allowed, "name another image")
		}
		if seen[rule.Image] {
			c.add(field+".image", fmt.Sprintf("%q twice", rule.Image), "every image once", "take one of them out")
		}
		seen[rule.Image] = true
	}
	if r.IDRange != nil {
		c.reason("root.id_range", r.IDRange.Reason)
	}
}

// imageProblem says what is allowed where a text can be no image's name.
func imageProblem(pattern string) string {
	const form = "NAME:TAG, NAME@sha256:DIGEST or sha256:DIGEST, in which * stands for any characters"
	if pattern == "" || len(pattern) > 512 {
		return form
	}
	for _, c := range pattern {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-/:@*", c) {
			return form
		}
	}
	return ""
}

// image judges the image that a job names.
func (r *resolver) image(rules []ImageRule) {
	i, source, reason := r.request.Image, SourceRefused, "the policy does not list the image"
	for _, rule := range rules {
		if rule.Matches(i) {
			source, reason = SourceAsked, rule.Reason
			break
		}
	}
	if source == SourceRefused {
		allowed := "none"
		if len(rules) > 0 {
			names := make([]string, len(rules))
			for at, rule := range rules {
				names[at] = rule.Image
			}
			allowed = strings.Join(names, ", ")
		}
		r.deny("image", fmt.Sprintf("%q", i.Asked), allowed, "name an image that GET /v1/images lists for the policy, or use a policy that allows it (root.images)")
	}
	if len(r.request.RootDirs) > 0 {
		r.deny("root_dirs", fmt.Sprintf("%q", r.request.RootDirs), "nothing beside an image", "name an image or directories")
	}
	r.row("root.image", i.Asked, source, reason)
}

// idRange judges whether the job may be root of its image. A policy that does not say so
// allows it to none, as with interactive jobs.
func (r *resolver) idRange(written *ChoiceRule) bool {
	rule := ChoiceRule{Reason: "the policy does not say that a job may be root of an image"}
	if written != nil {
		rule = *written
	}
	asked, source := r.request.IDRange, SourceDefault
	switch {
	case asked && !rule.Allowed:
		source = SourceRefused
		r.deny("id_range", "true", "false", "run as the one id that a job has, or use a policy that allows it (root.id_range)")
	case asked && r.request.Image == nil:
		source = SourceRefused
		r.deny("id_range", "true", "nothing without an image", "name an image: it is its users that the range holds")
	case asked:
		source = SourceAsked
	}
	if r.explain && (written != nil || asked) {
		r.rows = append(r.rows, Row{Field: "root.id_range", Value: fmt.Sprint(asked), Source: source, Max: fmt.Sprint(rule.Allowed), Reason: rule.Reason})
	}
	return asked
}
