package policy

import "fmt"

// Resolve answers a request: the policy is the ceiling, and what the request
// leaves out is the policy's default. A request that asks for more than the
// policy allows gets a *DeniedError with everything that is refused. A policy
// that is not whole (see Flatten) or not sound gets an *InvalidError: with a
// limit missing there would be a job without that limit.
func Resolve(q Request, p *Policy) (*Grant, error) {
	if err := whole(p); err != nil {
		return nil, err
	}
	return ResolveChecked(q, p)
}

// ResolveChecked is Resolve for a policy that is known to be whole and sound, as
// those of a policies.Set are: each job is resolved, and a policy is checked once.
func ResolveChecked(q Request, p *Policy) (*Grant, error) {
	r := &resolver{policy: p, request: q, grant: &Grant{Policy: p.Name}}
	err := r.resolve()
	return r.grant, err
}

// resolve fills in the grant. The rows are there even when the request is denied.
func (r *resolver) resolve() error {
	p, q := r.policy, r.request
	r.limits("limits", &p.Limits, &q.Limits, &r.grant.Limits)
	if q.HasBuild {
		r.limits("build.limits", &p.BuildLimits, &q.BuildLimits, &r.grant.BuildLimits)
	} else {
		r.unusedBuild(&q.BuildLimits)
	}
	r.root()
	r.seccomp()
	r.caps()
	r.interactive()
	r.inspect()
	r.fits()
	r.subuid()
	if len(r.denials) > 0 {
		r.grant = nil
		return &DeniedError{p.Name, r.denials}
	}
	return nil
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
	explain bool  // how each part came about is wanted
	rows    []Row // that
}

func (r *resolver) deny(field, asked, allowed, hint string) {
	r.denials = append(r.denials, Denial{field, asked, allowed, hint})
}

func (r *resolver) limits(path string, rules *LimitRules, asked *LimitRequest, out *Limits) {
	for _, f := range fields {
		rule, _ := f.rule(rules)
		v, source := *rule.def, SourceDefault
		if a, ok := f.asked(asked); ok {
			v, source = a, SourceAsked
			if !(a >= f.Floor && a <= *rule.max) { // so written, NaN is refused
				source = SourceRefused
				r.deny(path+"."+f.Name, number(a), number(f.Floor)+" to "+Quantity(*rule.max, f.Unit), r.limitHint(f, rule))
			}
		}
		f.put(out, v)
		if r.explain {
			r.rows = append(r.rows, Row{Field: path + "." + f.Name, Value: Quantity(v, f.Unit), Source: source,
				Max: Quantity(*rule.max, f.Unit), Reason: rule.reason})
		}
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
	if !r.explain {
		return
	}
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
		source := SourcePolicy
		if f.asked != nil {
			// A negative count is a slip of the caller, not a small request.
			if n := f.asked(r.request); n < 0 || n > rule.Max {
				source = SourceRefused
				r.deny(f.field, Quantity(float64(n), f.unit), "0 to "+Quantity(float64(rule.Max), f.unit), f.hint)
			}
		}
		if r.explain {
			r.row("caps."+f.name, Quantity(float64(rule.Max), f.unit), source, rule.Reason)
		}
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
