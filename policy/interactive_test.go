package policy

import (
	"errors"
	"slices"
	"testing"
)

func TestInteractive(t *testing.T) {
	for name, c := range map[string]struct {
		rule   *TalkRule
		input  bool // is allowed
		screen bool
	}{
		"nothing written": {nil, false, false},
		"forbidden":       {&TalkRule{Reason: "r"}, false, false},
		"input":           {&TalkRule{Allowed: true, Reason: "r"}, true, false},
		"terminal":        {&TalkRule{Allowed: true, Terminal: true, Reason: "r"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := sound()
			p.Interactive = c.rule
			wants := func(q Request, allowed bool, fields ...string) {
				t.Helper()
				_, err := Resolve(q, p)
				var denied *DeniedError
				if allowed != (err == nil) || err != nil && !errors.As(err, &denied) {
					t.Fatalf("%+v: %v", q, err)
				}
				var got []string
				if denied != nil {
					for _, d := range denied.Denials {
						got = append(got, d.Field)
					}
				}
				if !slices.Equal(got, fields) {
					t.Errorf("denied %v, want %v", got, fields)
				}
			}
			wants(Request{}, true)
			if c.input {
				wants(Request{Interactive: true}, true)
			} else {
				wants(Request{Interactive: true}, false, "interactive")
			}
			switch {
			case c.screen:
				wants(Request{Interactive: true, Terminal: true}, true)
			case c.input:
				wants(Request{Interactive: true, Terminal: true}, false, "interactive.tty")
			default:
				wants(Request{Interactive: true, Terminal: true}, false, "interactive", "interactive.tty")
			}
		})
	}
}

func TestInteractiveDocument(t *testing.T) {
	p := sound()
	p.Interactive = &TalkRule{Terminal: true}
	var fields []string
	for _, problem := range Check(p, nil) {
		fields = append(fields, problem.Field)
	}
	if want := []string{"interactive.reason", "interactive.terminal"}; !slices.Equal(fields, want) {
		t.Errorf("problems of %v, want %v", fields, want)
	}
	child := &Policy{Name: "child", Description: "d", Extends: "parent", Interactive: &TalkRule{Reason: "none here"}}
	p.Interactive = &TalkRule{Allowed: true, Reason: "r"}
	if m, _ := merge(p, child); m.Interactive.Allowed || m.Interactive.Reason != "none here" {
		t.Errorf("%+v", m.Interactive)
	}
	child.Interactive = nil
	if m, _ := merge(p, child); !m.Interactive.Allowed || m.Interactive == p.Interactive {
		t.Errorf("%+v", m.Interactive)
	}
}
