package policy

// capField describes one cap, as Field does a limit.
type capField struct {
	name    string
	unit    string
	meaning string
	ceiling int64
	field   string // of the API request
	hint    string // what a refused job can do
	rule    func(*CapRules) **CapRule
	value   func(*Caps) *int64
	asked   func(Request) int64
}

var capFields = []capField{
	{"files", "", "files placed before the start", 1 << 20, "files",
		"send fewer files, or one archive that the program unpacks",
		func(r *CapRules) **CapRule { return &r.Files }, func(c *Caps) *int64 { return &c.Files },
		func(q Request) int64 { return int64(q.Files) }},
	{"stdin_bytes", "bytes", "standard input", gib, "stdin",
		"send a shorter input",
		func(r *CapRules) **CapRule { return &r.StdinBytes }, func(c *Caps) *int64 { return &c.StdinBytes },
		func(q Request) int64 { return q.StdinBytes }},
	{"outputs", "", "files collected after the run, and patterns to find them", 1 << 16, "outputs",
		"name fewer patterns, or let the program pack its files into one",
		func(r *CapRules) **CapRule { return &r.Outputs }, func(c *Caps) *int64 { return &c.Outputs },
		func(q Request) int64 { return int64(len(q.Outputs)) }},
	// Its size shows only after the run: no request can ask for more of it.
	{"output_file_bytes", "bytes", "size of one collected file", gib, "", "",
		func(r *CapRules) **CapRule { return &r.OutputFile }, func(c *Caps) *int64 { return &c.OutputFile },
		nil},
	{"env_vars", "", "variables set by the job", 4096, "env",
		"set fewer variables, or place them in a file",
		func(r *CapRules) **CapRule { return &r.EnvVars }, func(c *Caps) *int64 { return &c.EnvVars },
		func(q Request) int64 { return int64(len(q.Env)) }},
	{"tests", "", "tests of one job, each in a cell of its own", 1 << 16, "tests",
		"send fewer tests, or several jobs: the same build is not made twice",
		func(r *CapRules) **CapRule { return &r.Tests }, func(c *Caps) *int64 { return &c.Tests },
		func(q Request) int64 { return int64(q.Tests) }},
	{"programs", "", "further programs that run at the same time as the job's own, each with limits of its own", 7, "programs",
		"join fewer programs by pipes",
		func(r *CapRules) **CapRule { return &r.Programs }, func(c *Caps) *int64 { return &c.Programs },
		func(q Request) int64 { return int64(q.Programs) }},
}

// CapField describes one cap for documents and schemas.
type CapField struct {
	Name, Unit, Meaning string
	Ceiling             int64
}

// CapFields lists every cap in the order of the struct Caps.
func CapFields() []CapField {
	list := make([]CapField, len(capFields))
	for i, f := range capFields {
		list[i] = CapField{f.name, f.unit, f.meaning, f.ceiling}
	}
	return list
}
