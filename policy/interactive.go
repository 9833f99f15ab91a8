package policy

import "fmt"

func checkInteractive(c *checker) {
	t := c.policy.Interactive
	if t == nil {
		return
	}
	c.reason("interactive", t.Reason)
	if t.Terminal && !t.Allowed {
		c.add("interactive.terminal", "true", "false where allowed is false", "allow interactive jobs, or take terminal out")
	}
}

// interactive judges whether a client may talk with the job. A policy that does not say
// so allows it to none: what comes later widens no policy that was written before.
func (r *resolver) interactive() {
	rule := TalkRule{Reason: "the policy does not say that a client may talk with a job"}
	if r.policy.Interactive != nil {
		rule = *r.policy.Interactive
	}
	q := r.request
	r.talk("interactive", q.Interactive, rule.Allowed, rule.Reason, "give the input with the job, or use a policy that allows interactive jobs")
	r.talk("interactive.tty", q.Terminal, rule.Terminal, rule.Reason, "leave tty out, so that the input is a pipe, or use a policy that allows a terminal")
}

func (r *resolver) talk(field string, asked, allowed bool, reason, hint string) {
	if asked && !allowed {
		r.deny(field, "true", "false", hint)
	}
	if !r.explain || r.policy.Interactive == nil && !asked {
		return
	}
	source := SourceDefault
	switch {
	case asked && allowed:
		source = SourceAsked
	case asked:
		source = SourceRefused
	}
	r.rows = append(r.rows, Row{Field: field, Value: fmt.Sprint(asked), Source: source, Max: fmt.Sprint(allowed), Reason: reason})
}
