package policy

import (
	"fmt"
	"slices"
	"strings"
)

// maxDepth bounds a chain of extends: a person has to be able to follow it.
const maxDepth = 8

// Flatten gives the whole policy: p over its parent, that over its own parent,
// and so on. parent finds the policy that child names in extends; nil means
// there is none. The answer extends nothing and shares no memory with the
// documents. The error is an *InvalidError; the answer itself is not checked.
func Flatten(p *Policy, parent func(child *Policy, name string) *Policy) (*Policy, error) {
	chain := []*Policy{p}
	names := []string{p.Name}
	for child := p; child.Extends != ""; child = chain[len(chain)-1] {
		next := parent(child, child.Extends)
		names = append(names, child.Extends)
		switch {
		case next == nil:
			return nil, extendsError(p, fmt.Sprintf("%q, which does not exist", child.Extends),
				"the name of a policy", "name one that `cordon policy list` shows")
		case slices.Contains(chain, next):
			return nil, extendsError(p, "a circle: "+strings.Join(names, " → "), "a chain that ends",
				"let one of them extend nothing")
		case len(chain) == maxDepth:
			return nil, extendsError(p, fmt.Sprintf("a chain of more than %d policies: %s", maxDepth, strings.Join(names, " → ")),
				fmt.Sprintf("at most %d", maxDepth), "extend a policy nearer to the root of the chain")
		}
		chain = append(chain, next)
	}
	whole := &Policy{}
	var problems []Problem
	for _, doc := range slices.Backward(chain) {
		var more []Problem
		whole, more = merge(whole, doc)
		problems = append(problems, more...)
	}
	if len(problems) > 0 {
		return nil, &InvalidError{p.Name, problems}
	}
	return whole, nil
}

func extendsError(p *Policy, given, allowed, fix string) error {
	return &InvalidError{p.Name, []Problem{{"extends", given, allowed, fix}}}
}
