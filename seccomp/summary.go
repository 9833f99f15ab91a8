package seccomp

// FilterSummary is a filter in numbers, for people; Describe has all of it.
type FilterSummary struct {
	Profile      string `json:"profile"`
	Arch         string `json:"arch" doc:"The one whose calls are let through"`
	Digest       string `json:"digest" doc:"Of the program, and of what the service decides besides: the same rules have the same"`
	Instructions int    `json:"instructions" doc:"Of the program in the kernel"`
	Allowed      int    `json:"allowed" doc:"Calls that are allowed with any argument"`
	Conditional  int    `json:"conditional" doc:"Calls that are allowed with some arguments"`
	Answered     int    `json:"answered" doc:"Calls that the kernel answers with an errno at once"`
	Denied       int    `json:"denied" doc:"Calls that get an errno, and are counted in the result"`
}

// Summary counts the calls that have a name, as Describe does.
func (p *Program) Summary() FilterSummary {
	s := FilterSummary{Profile: p.profile, Arch: p.Arch.String(), Digest: p.Digest, Instructions: p.Instructions()}
	for n := range maxNumber {
		name, ok := p.Arch.callName(n)
		if !ok || n > newest && !p.allowed[name] {
			continue
		}
		_, answered := atOnce[name]
		switch {
		case p.allowed[name] && len(ways(p.profile, name)) == 0:
			s.Allowed++
		case p.allowed[name]:
			s.Conditional++
		case answered:
			s.Answered++
		default:
			s.Denied++
		}
	}
	return s
}
