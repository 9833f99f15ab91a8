package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// reportVersion changes when a report of before cannot be read as one of now.
const reportVersion = 1

// Stat is the median of the rounds, and how far they lie apart.
type Stat struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// statOf some values; the zero Stat of none.
func statOf(values []float64) Stat {
	if len(values) == 0 {
		return Stat{}
	}
	v := slices.Sorted(slices.Values(values))
	middle := v[len(v)/2]
	if len(v)%2 == 0 {
		middle = (v[len(v)/2-1] + middle) / 2
	}
	return Stat{middle, v[0], v[len(v)-1]}
}

// Series is what many runs of one thing took.
type Series struct {
	Group     string `json:"group"`
	Name      string `json:"name"`
	Clients   int    `json:"clients"`
	Runs      int    `json:"runs"`
	Rounds    int    `json:"rounds"`
	P50       Stat   `json:"p50_ms"`
	P90       Stat   `json:"p90_ms"`
	P99       Stat   `json:"p99_ms"`
	PerSecond Stat   `json:"per_second"`
}

// Amount is a further number, for the reader.
type Amount struct {
	Group string `json:"group"`
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Value Stat   `json:"value"`
}

// Curve is how a cost grows with something.
type Curve struct {
	ID     string  `json:"id"`
	Title  string  `json:"title"`
	X      string  `json:"x"`
	Y      string  `json:"y"`
	Linear bool    `json:"linear"` // plotted on plain axes, from zero, not on logarithmic ones
	Points []Point `json:"points"`
}

// Point of a curve.
type Point struct {
	X float64 `json:"x"`
	Y Stat    `json:"y"`
}

// Report is a whole run of the benchmark.
type Report struct {
	Version int       `json:"version"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Machine Machine   `json:"machine"`
	Program string    `json:"program"`
	Figures []Figure  `json:"figures"`
	Series  []Series  `json:"series"`
	Amounts []Amount  `json:"amounts"`
	Curves  []Curve   `json:"curves"`
	Notes   []string  `json:"notes"` // such as peers that are here and cannot run
}

// ReadReport reads what "cordon bench --json" has printed.
func ReadReport(name string) (*Report, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: not a report that cordon bench --json has printed: %w", name, err)
	}
	if r.Version != reportVersion || len(r.Figures) == 0 {
		return nil, fmt.Errorf("%s: a report of version %d with %d figures; one of version %d is wanted, as cordon bench --json of this release prints it",
			name, r.Version, len(r.Figures), reportVersion)
	}
	return &r, nil
}

// Figure by its id; nil when there is none.
func (r *Report) Figure(id string) *Figure {
	i := slices.IndexFunc(r.Figures, func(f Figure) bool { return f.ID == id })
	if i < 0 {
		return nil
	}
	return &r.Figures[i]
}

// Difference is one figure in two reports.
type Difference struct {
	Figure, Other *Figure
	Quotient      float64 // NaN when one was not measured, or the other is 0
}

// Compare sets the figures of two reports side by side.
func (r *Report) Compare(other *Report) []Difference {
	var out []Difference
	for i := range r.Figures {
		d := Difference{Figure: &r.Figures[i], Other: other.Figure(r.Figures[i].ID), Quotient: math.NaN()}
		if d.Other != nil && d.Figure.Value != nil && d.Other.Value != nil && d.Other.Value.Median != 0 {
			d.Quotient = d.Figure.Value.Median / d.Other.Value.Median
		}
		out = append(out, d)
	}
	return out
}
