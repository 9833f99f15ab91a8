package policies

import (
	"errors"
	"fmt"

	"cordon/policy"
)

// load reads the shipped documents and the files, and makes whole policies of
// them. Problems stay with their documents; a set is of use only when there is
// none. The error is for a file that cannot be read.
func load(files []string, options []Option) (*Set, []*document, error) {
	documents, err := shipped(options)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		text, err := readFile(f)
		if err != nil {
			return nil, nil, err
		}
		documents = append(documents, read(f, text, options))
	}
	b := builder{shipped: map[string]*document{}, own: map[string]*document{}, byPolicy: map[*policy.Policy]*document{}, config: settings(options)}
	b.index(documents)
	set := &Set{entries: map[string]*entry{}}
	for _, d := range documents { // shipped first, so that the operator's win
		if whole := b.flatten(d); whole != nil {
			source := d.file
			if d.shipped {
				source = "shipped"
			}
			p := d.policy
			set.entries[p.Name] = &entry{whole, Info{p.Name, p.Description, p.Extends, source}}
		}
	}
	return set, documents, nil
}

func shipped(options []Option) ([]*document, error) {
	entries, err := shippedFiles.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var documents []*document
	for _, e := range entries {
		text, err := shippedFiles.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		d := read("shipped:"+e.Name(), text, options)
		d.shipped = true
		documents = append(documents, d)
	}
	return documents, nil
}

// builder finds parents.
type builder struct {
	shipped, own map[string]*document
	byPolicy     map[*policy.Policy]*document
	config       config
}

func (b *builder) index(documents []*document) {
	for _, d := range documents {
		b.byPolicy[d.policy] = d
		name := d.policy.Name
		switch first := b.own[name]; {
		case d.shipped:
			b.shipped[name] = d
		case name == "":
		case first != nil:
			d.add(policy.Problem{Field: "name", Given: fmt.Sprintf("%q, which %s has already", name, first.file),
				Allowed: "every name once", Fix: "choose another name"})
		default:
			b.own[name] = d
		}
	}
}

// parent finds the document a child extends. A shipped policy extends shipped
// ones only, so that it stays what the manual says whatever the operator adds.
// A file that extends its own name means the shipped policy it replaces.
func (b *builder) parent(child *policy.Policy, name string) *policy.Policy {
	c := b.byPolicy[child]
	if own := b.own[name]; own != nil && !c.shipped && (own != c || b.shipped[name] == nil) {
		return own.policy
	}
	if d := b.shipped[name]; d != nil {
		return d.policy
	}
	return nil
}

// flatten makes a document whole and checks the outcome. It returns nil when
// there is a problem, which then is kept in the document.
func (b *builder) flatten(d *document) *policy.Policy {
	if d.err != nil {
		return nil
	}
	var broken *document
	whole, err := policy.Flatten(d.policy, func(child *policy.Policy, name string) *policy.Policy {
		p := b.parent(child, name)
		if p != nil && b.byPolicy[p].err != nil && broken == nil {
			broken = b.byPolicy[p]
		}
		return p
	})
	if broken != nil {
		d.add(policy.Problem{Field: "extends", Given: fmt.Sprintf("a policy that cannot be used: %q in %s", broken.policy.Name, broken.file),
			Allowed: "a policy without problems", Fix: "mend that file first"})
		return nil
	}
	var invalid *policy.InvalidError
	switch {
	case errors.As(err, &invalid):
		for _, p := range invalid.Problems {
			d.add(p)
		}
	case err == nil:
		for _, p := range policy.Check(whole, b.config.knownSyscall) {
			d.add(p)
		}
	}
	if d.err != nil {
		return nil
	}
	return whole
}
