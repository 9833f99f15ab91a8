package victims

import (
	"strings"
	"testing"
)

// TestRefused: a row that could not fail is no row.
func TestRefused(t *testing.T) {
	for says, text := range map[string]string{
		"an id such as":               "- {id: X, title: x, command: [victim, x], expect: {verdict: ok}}",
		"no command":                  "- {id: A-01, title: x, expect: {verdict: ok}}",
		"a verdict or a status":       "- {id: A-01, title: x, command: [victim, x]}",
		"there twice":                 "- {id: A-01, title: x, missing: y}\n- {id: A-01, title: x, missing: y}",
		"missing, special, or has":    "- {id: A-01, title: x, missing: y, special: true}",
		"control.as":                  "- {id: A-01, title: x, command: [v], control: {as: root}, expect: {verdict: ok, lines: {a: [b, c]}}}",
		"go together":                 "- {id: A-01, title: x, command: [v], expect: {verdict: ok, lines: {a: [b, c]}}}",
		"the same inside and outside": "- {id: A-01, title: x, command: [v], control: {as: user}, expect: {verdict: ok, lines: {a: [b, b]}}}",
		"unknown field":               "- {id: A-01, titel: x}",
	} {
		if _, err := decode([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestLoad(t *testing.T) {
	rows, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 60 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestVacuous(t *testing.T) {
	if _, ok, err := Vacuous("0.0 nothing"); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}
