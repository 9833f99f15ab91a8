package main

import (
	"fmt"
	"regexp"
	"strconv"
)

// What --cpu-scale may be.
const (
	leastScale = 0.1
	mostScale  = 10
)

var decimal = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9})?$`)

// cpuScale is what limits of time are multiplied by on this host. A number is taken as
// people write it: no sign, no exponent, no infinity.
func (c *config) cpuScale() (float64, error) {
	scale, err := strconv.ParseFloat(c.CPUScale, 64)
	if err != nil || !decimal.MatchString(c.CPUScale) || !scaleAllowed(scale) {
		return 0, fmt.Errorf("cpu-scale: %.80q given, a number from %v to %v is wanted, as in 1.25; cordon calibrate tells which is this host's", c.CPUScale, leastScale, mostScale)
	}
	return scale, nil
}

func scaleAllowed(scale float64) bool { return scale >= leastScale && scale <= mostScale }
