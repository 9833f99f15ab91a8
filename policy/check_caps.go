package policy

import "strconv"

func checkCaps(c *checker) {
	for _, f := range capFields {
		r := *f.rule(&c.policy.Caps)
		if r == nil {
			continue
		}
		field := "caps." + f.name
		c.reason(field, r.Reason)
		if r.Max < 0 || r.Max > f.ceiling {
			c.add(field+".max", strconv.FormatInt(r.Max, 10), "0 to "+Quantity(float64(f.ceiling), f.unit), "write a value in this range")
		}
	}
}

func checkCapsSet(c *checker) {
	for _, f := range capFields {
		if *f.rule(&c.policy.Caps) == nil {
			c.add("caps."+f.name, "nothing", "max and reason", "write the cap: "+f.meaning)
		}
	}
}

func checkSubuid(c *checker) {
	if s := c.policy.RequireSubuid; s != nil {
		c.reason("require_subuid", s.Reason)
	}
}

func checkSubuidSet(c *checker) {
	if c.policy.RequireSubuid == nil {
		c.add("require_subuid", "nothing", "required and reason", "say whether a job needs a subordinate user ID of its own")
	}
}
