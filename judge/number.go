package judge

import "math"

// number is a decimal number: mant·10^exp, the first digits of it when there are more.
// The last digit of mant is not 0, so equal numbers are equal structs; 0 is the empty one.
type number struct {
	neg  bool
	more bool // other digits than 0 follow: the number lies between mant and mant+1
	mant uint64
	exp  int64
	lead int64 // the power of ten of the first digit
}

const (
	mantDigits = 19 // any of so many digits fits into a uint64
	maxLead    = 307
	minLead    = -1000
	maxExp     = 1 << 59 // ten times it is still an int64, and no token is so long as to make up for it
)

// parseNumber reads [+-] digits with at most one point, and an exponent. What is 1e308
// or more is none, and what is less than 1e-1000 is 0; inf, nan and hexadecimal
// numbers are words.
func parseNumber(t []byte) (n number, ok bool) {
	if len(t) > 0 && (t[0] == '+' || t[0] == '-') {
		n.neg = t[0] == '-'
		t = t[1:]
	}
	rest, whole, last := n.digits(t)
	if rest == nil {
		return number{}, false
	}
	exp, ok := parseExponent(rest)
	if !ok {
		return number{}, false
	}
	if n.mant == 0 {
		return number{}, true // -0 is 0
	}
	n.exp = exp + int64(whole-1-last)
	n.lead = n.exp
	for m := n.mant; m >= 10; m /= 10 {
		n.lead++
	}
	switch {
	case n.lead > maxLead:
		return number{}, false
	case n.lead < minLead:
		return number{}, true
	}
	return n, true
}

// digits reads the digits and the point. It returns what follows, nil without any
// digit, how many digits were before the point, and which one is the last in mant.
func (n *number) digits(t []byte) (rest []byte, whole, last int) {
	k, zeros, taken, point := 0, 0, 0, -1
	for i, c := range t {
		if c == '.' && point < 0 {
			point = k
			continue
		}
		if c < '0' || c > '9' {
			t, rest = t[:i], t[i:]
			break
		}
		switch {
		case c == '0' && n.mant == 0: // before the first digit that counts
		case c == '0':
			zeros++
		case taken+zeros < mantDigits: // never again once it was not: zeros stay
			n.mant = n.mant*powers[zeros+1] + uint64(c-'0')
			taken, zeros, last = taken+zeros+1, 0, k
		default:
			n.more = true
		}
		k++
	}
	if k == 0 {
		return nil, 0, 0
	}
	if rest == nil {
		rest = t[len(t):]
	}
	if point < 0 {
		point = k
	}
	return rest, point, last
}

// parseExponent reads what may follow the digits: nothing, or e, a sign, digits.
func parseExponent(t []byte) (exp int64, ok bool) {
	if len(t) == 0 {
		return 0, true
	}
	if t[0] != 'e' && t[0] != 'E' {
		return 0, false
	}
	t = t[1:]
	neg := false
	if len(t) > 0 && (t[0] == '+' || t[0] == '-') {
		neg = t[0] == '-'
		t = t[1:]
	}
	for _, c := range t {
		if c < '0' || c > '9' {
			return 0, false
		}
		exp = min(exp*10+int64(c-'0'), maxExp)
	}
	if neg {
		exp = -exp
	}
	return exp, len(t) > 0
}

// powers are those of ten that fit into a uint64.
var powers = func() (p [mantDigits + 1]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// float is the number to within a few units of the last place of a float64, and below
// 1e-300 to within a few of the least float64.
func (n number) float() float64 {
	f, exp := float64(n.mant), int(n.exp)
	if exp < -300 { // where the power of ten itself would lose digits
		f, exp = f*1e-300, exp+300
	}
	f *= math.Pow10(exp)
	if n.neg {
		return -f
	}
	return f
}
