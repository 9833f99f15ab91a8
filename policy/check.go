package policy

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is what errors.Is finds in an *InvalidError.
var ErrInvalid = errors.New("invalid policy")

// Problem is one thing wrong in a policy document.
type Problem struct {
	Field   string `json:"field"`   // path in the document: "limits.cpu_ms.max", "seccomp.allow[0].syscalls[2]"
	Given   string `json:"given"`   // what stands there; "nothing" when it is missing
	Allowed string `json:"allowed"` // what may stand there
	Fix     string `json:"fix"`     // what to do
}

// String is the problem in one line.
func (p Problem) String() string {
	return fmt.Sprintf("%s: given %s, allowed: %s; %s", p.Field, p.Given, p.Allowed, p.Fix)
}

// InvalidError lists every problem of one policy.
type InvalidError struct {
	Policy   string
	Problems []Problem
}

// Error names the policy and every problem.
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return fmt.Sprintf("policy %q: %s", e.Policy, strings.Join(lines, "; "))
}

// Unwrap lets errors.Is find ErrInvalid.
func (e *InvalidError) Unwrap() error { return ErrInvalid }

// checker collects problems.
type checker struct {
	policy   *Policy
	known    func(string) bool // nil: syscall names are only checked for their shape
	problems []Problem
}

func (c *checker) add(field, given, allowed, fix string) {
	c.problems = append(c.problems, Problem{field, given, allowed, fix})
}

// A check looks at one thing. Those of writtenChecks hold for every document;
// those of wholeChecks need a document with nothing left out: one that extends
// no other, or the outcome of Flatten.
type check struct {
	name string
	run  func(*checker)
}

var writtenChecks = []check{
	{"name", checkName},
	{"description", checkDescription},
	{"extends", checkExtends},
	{"limit reasons", checkLimitReasons},
	{"limit bounds", checkLimitBounds},
	{"root", checkRoot},
	{"root directories", checkRootDirs},
	{"writable root", checkWritable},
	{"choice of root directories", checkChoice},
	{"seccomp profile", checkProfile},
	{"seccomp rules", checkSyscalls},
	{"caps", checkCaps},
	{"interactive", checkInteractive},
	{"inspect", checkInspect},
	{"require_subuid", checkSubuid},
}

var wholeChecks = []check{
	{"every limit set", checkLimitsSet},
	{"defaults below ceilings", checkDefaults},
	{"root complete", checkRootSet},
	{"seccomp complete", checkSeccompSet},
	{"caps complete", checkCapsSet},
	{"require_subuid given", checkSubuidSet},
}

// Check returns every problem of a document. A document that extends another is
// checked for what it writes; check the outcome of Flatten too. known says
// whether a syscall name exists on any architecture; nil leaves that out.
func Check(p *Policy, known func(string) bool) []Problem {
	c := &checker{policy: p, known: known}
	for _, k := range writtenChecks {
		k.run(c)
	}
	if p.Extends == "" {
		for _, k := range wholeChecks {
			k.run(c)
		}
	}
	return c.problems
}

// reason checks that a reason is there, and that it can be printed.
func (c *checker) reason(field, text string) {
	c.text(field+".reason", text, "say why in one sentence")
}

// text checks a text for people. Terminals obey control characters, so a
// document must not smuggle them into a table.
func (c *checker) text(field, text, fix string) {
	if strings.TrimSpace(text) == "" {
		c.add(field, "nothing", "a text", fix)
		return
	}
	for _, r := range text {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0) || r == '\u202e' || r == '\ufffd' {
			c.add(field, fmt.Sprintf("the character %U", r), "printable text", "take the character out")
			return
		}
	}
}

func checkName(c *checker) {
	if !ValidName(c.policy.Name) {
		c.add("name", quoteOrNothing(c.policy.Name), nameRule, "choose another name")
	}
}

const nameRule = "a lower-case letter, then lower-case letters, digits and dashes, 32 characters at most"

// ValidName says whether a string can be the name of a policy.
func ValidName(s string) bool {
	if s == "" || len(s) > 32 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}

func quoteOrNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", s)
}

func checkDescription(c *checker) {
	c.text("description", c.policy.Description, "say in one sentence for whom the policy is")
}

func checkExtends(c *checker) {
	if e := c.policy.Extends; e != "" && !ValidName(e) {
		c.add("extends", fmt.Sprintf("%q", e), "the name of a policy", "name one that `cordon policy list` shows")
	}
}
