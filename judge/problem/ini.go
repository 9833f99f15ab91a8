package problem

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// setting is one line of domjudge-problem.ini.
type setting struct {
	key, value string
	line       int
}

var iniKeys = []string{"name", "timelimit", "special_run", "special_compare", "externalid", "probid",
	"allow_submit", "allow_judge", "points", "color", "short-name"}

// settings takes domjudge-problem.ini.
func (r *reader) settings(text []byte) {
	const file = "domjudge-problem.ini"
	settings, err := parseINI(string(text))
	if err != nil {
		err.File = file
		r.mistake(*err)
	}
	given := map[string]bool{}
	var unused []string
	for _, s := range settings {
		wrong := func(given, wanted string) {
			r.mistake(Mistake{File: file, Line: s.line, Field: s.key, Given: given, Wanted: wanted})
		}
		switch {
		case !slices.Contains(iniKeys, s.key):
			r.mistake(Mistake{File: file, Line: s.line, Field: shown(s.key), Given: "not a key of DOMjudge's", Wanted: "known are " + strings.Join(iniKeys, ", ")})
		case given[s.key]:
			wrong("there a second time", "keep one")
		case s.key == "name":
			if s.value != "" {
				r.p.Name = s.value
			}
		case s.key == "timelimit":
			r.timeLimit(file, s.line, s.key, s.value)
		case s.key == "special_run" && s.value != "run" && s.value != "", s.key == "special_compare" && s.value != "compare" && s.value != "":
			wrong(shown(s.value), "that script is in a DOMjudge, not in this package; put it into output_validators")
		default:
			unused = append(unused, s.key)
		}
		given[s.key] = true
	}
	if len(unused) > 0 {
		r.ignore("%s: %s: only for a DOMjudge", file, strings.Join(unused, ", "))
	}
}

// parseINI reads "key = value" lines. A value in quotes may hold line breaks;
// one without ends at a semicolon.
func parseINI(text string) (settings []setting, bad *Mistake) {
	if !utf8.ValidString(text) {
		return nil, &Mistake{Given: "bytes that are not UTF-8", Wanted: "save it as UTF-8"}
	}
	for line := 1; text != ""; line++ {
		var row string
		row, text, _ = strings.Cut(text, "\n")
		row = strings.TrimSpace(row)
		if row == "" || row[0] == ';' || row[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(row, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" || row[0] == '[' {
			return settings, &Mistake{Line: line, Given: shown(row), Wanted: "write key = value"}
		}
		s := setting{key: key, line: line}
		if value == "" || value[0] != '"' && value[0] != '\'' {
			s.value, _, _ = strings.Cut(value, ";")
			s.value = strings.TrimSpace(s.value)
			settings = append(settings, s)
			continue
		}
		quote, rest := value[:1], value[1:]
		for !strings.Contains(rest, quote) {
			if text == "" {
				return settings, &Mistake{Line: s.line, Field: shown(key), Given: "without the quote that ends it", Wanted: fmt.Sprintf("end the value by %s", quote)}
			}
			row, text, _ = strings.Cut(text, "\n")
			rest += "\n" + row
			line++
		}
		s.value, rest, _ = strings.Cut(rest, quote)
		if rest = strings.TrimSpace(rest); rest != "" && rest[0] != ';' {
			return settings, &Mistake{Line: line, Field: shown(key), Given: "followed by " + shown(rest), Wanted: "end the line behind the quote"}
		}
		settings = append(settings, s)
	}
	return settings, nil
}
