package policy

// eachRule calls f for every limit of both steps; ok is false where the
// document says nothing about the limit.
func (p *Policy) eachRule(f func(path string, field Field, r rule, ok bool)) {
	for _, step := range []struct {
		name  string
		rules *LimitRules
	}{{"limits", &p.Limits}, {"build_limits", &p.BuildLimits}} {
		for _, field := range fields {
			r, ok := field.rule(step.rules)
			f(step.name+"."+field.Name, field, r, ok)
		}
	}
}

func checkLimitReasons(c *checker) {
	c.policy.eachRule(func(path string, _ Field, r rule, ok bool) {
		if !ok {
			return
		}
		c.reason(path, r.reason)
		if r.def == nil && r.max == nil {
			c.add(path, "neither default nor max", "at least one of them", "write a value, or take the limit out")
		}
	})
}

func checkLimitBounds(c *checker) {
	c.policy.eachRule(func(path string, f Field, r rule, _ bool) {
		c.bound(path+".default", f, r.def)
		c.bound(path+".max", f, r.max)
	})
}

// bound holds a value against the floor and ceiling of its field. It is written
// so that NaN, which compares false with everything, is a problem too.
func (c *checker) bound(path string, f Field, v *float64) {
	if v == nil || *v >= f.Floor && *v <= f.Ceiling {
		return
	}
	c.add(path, number(*v), number(f.Floor)+" to "+Quantity(f.Ceiling, f.Unit), "write a value in this range: "+f.Why)
}

func checkLimitsSet(c *checker) {
	c.policy.eachRule(func(path string, f Field, r rule, _ bool) {
		if r.def == nil {
			c.add(path+".default", "nothing", number(f.Floor)+" to "+Quantity(f.Ceiling, f.Unit),
				"write a default: no limit may be left open")
		}
		if r.max == nil {
			c.add(path+".max", "nothing", number(f.Floor)+" to "+Quantity(f.Ceiling, f.Unit),
				"write a ceiling: no limit may be left open")
		}
	})
}

func checkDefaults(c *checker) {
	c.policy.eachRule(func(path string, f Field, r rule, _ bool) {
		if r.def != nil && r.max != nil && *r.def > *r.max {
			c.add(path+".default", Quantity(*r.def, f.Unit), "at most max, "+Quantity(*r.max, f.Unit),
				"write a smaller default or a larger max; what is not written comes from the policy that is extended")
		}
	})
}
