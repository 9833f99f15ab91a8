package policy

import "strconv"

// number prints a value without exponent or needless digits.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Quantity prints a value with its unit for people: "268435456 (256 MiB)",
// "15000 (15 s)". A value that is no round number of a larger unit stands alone.
func Quantity(v float64, unit string) string {
	s := number(v)
	if h := human(v, unit); h != "" {
		return s + " (" + h + ")"
	}
	return s
}

func human(v float64, unit string) string {
	type scale struct {
		size float64
		name string
	}
	var scales []scale
	switch unit {
	case "bytes":
		scales = []scale{{tib, "TiB"}, {gib, "GiB"}, {mib, "MiB"}, {kib, "KiB"}}
	case "ms":
		scales = []scale{{day, "d"}, {3600 * 1000, "h"}, {60 * 1000, "min"}, {1000, "s"}}
	}
	for _, s := range scales {
		// Halves read well (1.5 GiB); anything finer would only be a rounded lie.
		if n := v / s.size; n >= 1 && n*2 == float64(int64(n*2)) {
			return number(n) + " " + s.name
		}
	}
	return ""
}
