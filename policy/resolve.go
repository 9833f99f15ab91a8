package policy

import "fmt"

// Resolve answers a request: the policy is the ceiling, and what the request
// leaves out is the policy's default. A request that asks for more than the
// policy allows gets a *DeniedError with everything that is refused. A policy
// that is not whole (see Flatten) or not sound gets an *InvalidError: with a
// limit missing there would be a job without that limit.
func Resolve(q Request, p *Policy) (*Grant, error) {
	g, _, err := resolve(q, p)
	return g, err
}

// resolve also returns how each part came about, for Explain. The rows are
// there even when the request is denied.
func resolve(q Request, p *Policy) (*Grant, []Row, error) {
	if err := whole(p); err != nil {
		return nil, nil, err
	}
	r := &resolver{policy: p, request: q, grant: &Grant{Policy: p.Name}}
	r.limits("limits", &p.Limits, &q.Limits, &r.grant.Limits)
	if q.HasBuild {
		r.limits("build.limits", &p.BuildLimits, &q.BuildLimits, &r.grant.BuildLimits)
	} else {
		r.unusedBuild(&q.BuildLimits)
	}
	r.root()
	r.seccomp()
	r.caps()
	r.fits()
	r.subuid()
	if len(r.denials) > 0 {
		return nil, r.rows, &DeniedError{p.Name, r.denials}
	}
	return r.grant, r.rows, nil
}

func whole(p *Policy) error {
	if p.Extends != "" {
		return &InvalidError{p.Name, []Problem{{"extends", fmt.Sprintf("%q", p.Extends), "a policy that extends nothing",
			"flatten the policy before it is used"}}}
	}
	if problems := Check(p, nil); len(problems) > 0 {
		return &InvalidError{p.Name, problems}
	}
	return nil
}

// resolver builds the grant part by part.
type resolver struct {
	policy  *Policy
	request Request
	grant   *Grant
	denials []Denial
	rows    []Row
}

func (r *resolver) deny(field, asked, allowed, hint string) {
	r.denials = append(r.denials, Denial{field, asked, allowed, hint})
}

func (r *resolver) limits(path string, rules *LimitRules, asked *LimitRequest, out *Limits) {
	for _, f := range fields {
		rule, _ := f.rule(rules)
		row := Row{Field: path + "." + f.Name, Value: Quantity(*rule.def, f.Unit), Source: SourceDefault,
			Max: Quantity(*rule.max, f.Unit), Reason: rule.reason}
		v := *rule.def
		if a, ok := f.asked(asked); ok {
			v = a
			row.Value, row.Source = Quantity(a, f.Unit), SourceAsked
			if !(a >= f.Floor && a <= *rule.max) { // so written, NaN is refused
				row.Source = SourceRefused
				r.deny(row.Field, number(a), number(f.Floor)+" to "+Quantity(*rule.max, f.Unit), r.limitHint(f, rule))
			}
		}
		f.put(out, v)
		r.rows = append(r.rows, row)
	}
}

func (r *resolver) limitHint(f Field, rule rule) string {
	return fmt.Sprintf("ask for a value in this range, or leave it out for the default, %s; the range belongs to policy %q",
		Quantity(*rule.def, f.Unit), r.policy.Name)
}

// unusedBuild gives a grant without a build step the defaults, so that no limit
// is ever unset, and refuses limits for a step that does not exist.
func (r *resolver) unusedBuild(asked *LimitRequest) {
	for _, f := range fields {
		rule, _ := f.rule(&r.policy.BuildLimits)
		f.put(&r.grant.BuildLimits, *rule.def)
		if a, ok := f.asked(asked); ok {
			r.deny("build.limits."+f.Name, number(a), "nothing without a build step",
				"give the build a command, or leave its limits out")
		}
	}
}

func (r *resolver) seccomp() {
	s := r.policy.Seccomp
	r.grant.Seccomp = Seccomp{Profile: s.Profile, Allow: syscalls(s.Allow), Deny: syscalls(s.Deny)}
	r.row("seccomp.profile", s.Profile, SourcePolicy, s.Reason)
	for _, rule := range s.Allow {
		r.row("seccomp.allow", fmt.Sprint(rule.Syscalls), SourcePolicy, rule.Reason)
	}
	for _, rule := range s.Deny {
		r.row("seccomp.deny", fmt.Sprint(rule.Syscalls), SourcePolicy, rule.Reason)
	}
}

func (r *resolver) caps() {
	for _, f := range capFields {
		rule := *f.rule(&r.policy.Caps)
		*f.value(&r.grant.Caps) = rule.Max
		row := Row{Field: "caps." + f.name, Value: Quantity(float64(rule.Max), f.unit), Source: SourcePolicy, Reason: rule.Reason}
		if f.asked != nil {
			// A negative count is a slip of the caller, not a small request.
			if n := f.asked(r.request); n < 0 || n > rule.Max {
				row.Source = SourceRefused
				r.deny(f.field, Quantity(float64(n), f.unit), "0 to "+Quantity(float64(rule.Max), f.unit), f.hint)
			}
		}
		r.rows = append(r.rows, row)
	}
}

// fits holds the files of a job against the scratch they are placed in. Each
// step has a scratch of its own, and the files are placed in the first.
func (r *resolver) fits() {
	r.fit("limits", r.grant.Limits)
	if r.request.HasBuild {
		r.fit("build.limits", r.grant.BuildLimits)
	}
}

func (r *resolver) fit(path string, l Limits) {
	if n := r.request.FileBytes; n < 0 || n > l.DiskBytes {
		r.deny("files", Quantity(float64(n), "bytes")+" in files", fmt.Sprintf("0 to %s, as in %s.disk_bytes", Quantity(float64(l.DiskBytes), "bytes"), path),
			fmt.Sprintf("ask for more %s.disk_bytes, or send less", path))
	}
	if n := int64(r.request.Files); n > l.DiskFiles {
		r.deny("files", fmt.Sprintf("%d files", n), fmt.Sprintf("at most %d, as in %s.disk_files", l.DiskFiles, path),
			fmt.Sprintf("ask for more %s.disk_files, or send fewer", path))
	}
}

func (r *resolver) subuid() {
	s := r.policy.RequireSubuid
	r.grant.RequireSubuid = s.Required
	r.row("require_subuid", fmt.Sprint(s.Required), SourcePolicy, s.Reason)
}
