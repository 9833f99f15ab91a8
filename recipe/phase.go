package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Kinds of phases, in their order: packages of the system first, for the others need them.
const (
	apt   = "apt"
	pip   = "pip"
	npm   = "npm"
	steps = "steps"
)

// phase is a part of a recipe that becomes a layer of its own.
type phase struct {
	Kind  string   `json:"kind"`
	Words []string `json:"words"` // packages, sorted, each once; or steps
}

func (r *Recipe) phases() []phase {
	var out []phase
	for _, p := range []phase{{apt, r.Packages.APT}, {pip, r.Packages.Pip}, {npm, r.Packages.NPM}} {
		if len(p.Words) > 0 {
			words := slices.Clone(p.Words)
			slices.Sort(words)
			out = append(out, phase{p.Kind, slices.Compact(words)})
		}
	}
	if len(r.Steps) > 0 {
		out = append(out, phase{steps, r.Steps})
	}
	return out
}

// title is what a phase is called in an image's history, and while it is made.
func (p *phase) title() string {
	text := strings.Join(p.Words, " ")
	if p.Kind == steps {
		text = strings.Join(p.Words, "; ")
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, fmt.Sprintf("%s: %s", p.Kind, text))
}

// recipeVersion changes when the same recipe comes to mean something else.
const recipeVersion = 1

// keys name what each phase comes to, with those before it: the image that is the base,
// what is done to it, by what policy. A recipe that means the same has the same keys,
// however it is written.
func keys(base string, env []string, grant string, all []phase) []string {
	var out []string
	for n := range all {
		text, err := json.Marshal(struct {
			Version int      `json:"version"`
			Base    string   `json:"base"`
			Env     []string `json:"env"`
			Grant   string   `json:"grant"`
			Phases  []phase  `json:"phases"`
		}{recipeVersion, base, env, grant, all[:n+1]})
		if err != nil {
			panic(err) // strings alone
		}
		sum := sha256.Sum256(text)
		out = append(out, hex.EncodeToString(sum[:]))
	}
	return out
}
