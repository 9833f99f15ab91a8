package problem

import (
	"errors"
	"fmt"
)

// Compare is what a default validator's flags say.
type Compare struct {
	CaseSensitive  bool
	SpaceSensitive bool
	// With Floats a token of the answer that is a number is compared as one: it
	// may be off by Absolute, or by Relative times the answer.
	Floats             bool
	Absolute, Relative float64
}

// compareOf reads the flags of the default validator.
func compareOf(flags []string) (c Compare, err error) {
	given := map[string]bool{}
	for i := 0; i < len(flags); i++ {
		flag := flags[i]
		if given[flag] {
			return Compare{}, fmt.Errorf("%s is given twice; keep one", flag)
		}
		given[flag] = true
		switch flag {
		case "case_sensitive":
			c.CaseSensitive = true
			continue
		case "space_change_sensitive":
			c.SpaceSensitive = true
			continue
		case "float_tolerance", "float_absolute_tolerance", "float_relative_tolerance":
		default:
			return Compare{}, fmt.Errorf("%s is no flag of the default validator; it has case_sensitive, space_change_sensitive, "+
				"float_tolerance E, float_absolute_tolerance E and float_relative_tolerance E", shown(flag))
		}
		i++
		if i == len(flags) {
			return Compare{}, fmt.Errorf("%s needs a number behind it, such as 1e-6", flag)
		}
		e, ok := number(flags[i])
		if !ok {
			return Compare{}, fmt.Errorf("%s %s: write a number that is not negative, such as 1e-6", flag, shown(flags[i]))
		}
		c.Floats = true
		if flag != "float_relative_tolerance" {
			c.Absolute = e
		}
		if flag != "float_absolute_tolerance" {
			c.Relative = e
		}
	}
	if given["float_tolerance"] && (given["float_absolute_tolerance"] || given["float_relative_tolerance"]) {
		return Compare{}, errors.New("float_tolerance stands for both others; keep it, or them")
	}
	return c, nil
}
