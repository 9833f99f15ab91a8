package sandbox

// interactorSpec: it may take a little longer than the programs it talks with, so that
// of two that wait for each other the program is the one whose time is up.
func (c *checker) interactorSpec(t *suite, test *Test, programs []*member) (*stepSpec, error) {
	spec := t.runner.stepSpec(c.grant.Limits)
	spec.env = mergeEnv(t.spec.Job.baseEnv(), c.RunEnv)
	for _, p := range programs {
		// What it is longer by is for the start of several cells, which no scale makes shorter.
		spec.granted.WallMillis = max(spec.granted.WallMillis, p.spec.granted.WallMillis+interactorAllowance)
		spec.limits.WallMillis = max(spec.limits.WallMillis, p.spec.limits.WallMillis+interactorAllowance)
	}
	files, err := c.files(test, spec)
	if err != nil {
		return nil, err
	}
	spec.args, spec.entries = c.args(test), append(files, c.links...)
	return spec, nil
}

const interactorAllowance = 1000 // ms
