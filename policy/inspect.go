package policy

import "fmt"

func checkInspect(c *checker) {
	if t := c.policy.Inspect; t != nil {
		c.reason("inspect", t.Reason)
	}
}

// inspect judges whether a job may have its cell looked at. Where a policy does not say so it
// may: the job gets no further right by it, and learns little that it could not see itself.
func (r *resolver) inspect() {
	rule := r.policy.Inspect
	asked := r.request.Inspect
	allowed := rule == nil || rule.Allowed
	if asked && !allowed {
		r.deny("inspect", "true", "false", "leave it out, or use a policy that allows it")
	}
	if !r.explain || rule == nil {
		return
	}
	source := SourceDefault
	switch {
	case asked && allowed:
		source = SourceAsked
	case asked:
		source = SourceRefused
	}
	r.rows = append(r.rows, Row{Field: "inspect", Value: fmt.Sprint(asked), Source: source, Max: fmt.Sprint(allowed), Reason: rule.Reason})
}
