package judge

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// tolerance decides whether numbers match. A nil one takes none for equal.
//
// The numbers are the decimal ones that stand in the outputs and in the settings: 1.3
// is within 0.1 of 1.2, although the float64s of them are further apart. float64 decides
// what is not close to the bound, big integers the rest.
type tolerance struct {
	abs, rel   float64
	absN, relN number // as written

	// What close works with, kept for the next numbers.
	e, g, d, by, wide big.Int
	scale             big.Int // ten to the power
	power             int64
	digits            []byte
}

func newTolerance(abs, rel float64) *tolerance {
	t := &tolerance{abs: abs, rel: rel}
	t.absN, _ = parseNumber(strconv.AppendFloat(nil, abs, 'e', -1, 64))
	t.relN, _ = parseNumber(strconv.AppendFloat(nil, rel, 'e', -1, 64))
	return t
}

// matches says whether both tokens are numbers, and close enough.
func (t *tolerance) matches(expected, got []byte) bool {
	if t == nil {
		return false
	}
	e, ok := parseNumber(expected)
	if !ok {
		return false
	}
	g, ok := parseNumber(got)
	if !ok {
		return false
	}
	if e == g && !e.more {
		return true
	}
	x, y := e.float(), g.float()
	diff, bound := math.Abs(x-y), max(t.abs, t.rel*math.Abs(x))
	// How far diff and bound may be off: their roundings come to less than 2^-49 of the
	// numbers, and near 0 to a few of the least float64, which is 5e-324.
	const part, least = 0x1p-46, 1e-321
	slack := math.Abs(x)*part + math.Abs(y)*part + bound*part + least
	switch {
	case diff+slack <= bound:
		return true
	case diff-slack > bound:
		return false
	}
	return t.close(e, g, expected, got)
}

// close decides exactly.
func (t *tolerance) close(e, g number, expected, got []byte) bool {
	eExp, gExp := t.load(&t.e, e, expected), t.load(&t.g, g, got)
	exp := t.align(&t.e, eExp, &t.g, gExp)
	t.d.Sub(&t.e, &t.g)
	if t.d.Sign() == 0 {
		return true
	}
	t.d.Abs(&t.d)
	return t.atMost(t.absN, nil, exp) || t.atMost(t.relN, &t.e, exp)
}

// atMost: the difference d·10^exp is at most by, or by·|of|·10^exp. It leaves d and of
// as they are.
func (t *tolerance) atMost(by number, of *big.Int, exp int64) bool {
	if by.mant == 0 {
		return false
	}
	t.by.SetUint64(by.mant)
	byExp := by.exp
	if of != nil {
		t.by.Mul(&t.by, of)
		byExp += exp
	}
	if byExp >= exp {
		t.raise(&t.by, byExp-exp)
		return t.d.CmpAbs(&t.by) <= 0
	}
	t.wide.Set(&t.d)
	t.raise(&t.wide, exp-byExp)
	return t.wide.CmpAbs(&t.by) <= 0
}

// maxDigits are the digits of a number that count. More would let a long token take
// more than linear time.
const maxDigits = 1000

// load puts a number into an integer and returns the power of ten that goes with it.
func (t *tolerance) load(into *big.Int, n number, token []byte) (exp int64) {
	if !n.more {
		into.SetUint64(n.mant)
		exp = n.exp
	} else {
		t.digits = t.digits[:0]
		for _, c := range token {
			if c == 'e' || c == 'E' || len(t.digits) == maxDigits {
				break
			}
			if '1' <= c && c <= '9' || c == '0' && len(t.digits) > 0 {
				t.digits = append(t.digits, c)
			}
		}
		into.SetString(string(t.digits), 10)
		exp = n.lead - int64(len(t.digits)-1)
	}
	if n.neg {
		into.Neg(into)
	}
	return exp
}

// align gives both the lesser power of ten.
func (t *tolerance) align(a *big.Int, aExp int64, b *big.Int, bExp int64) int64 {
	switch {
	case a.Sign() == 0:
		return bExp
	case b.Sign() == 0:
		return aExp
	case aExp > bExp:
		t.raise(a, aExp-bExp)
		return bExp
	}
	t.raise(b, bExp-aExp)
	return aExp
}

var ten = big.NewInt(10)

// raise multiplies by a power of ten. It is at most a few thousand: numbers lie between
// 1e-1000 and 1e308 and have at most maxDigits digits.
func (t *tolerance) raise(x *big.Int, power int64) {
	if power == 0 {
		return
	}
	if power != t.power {
		t.power = power
		if power < int64(len(powers)) {
			t.scale.SetUint64(powers[power])
		} else {
			t.scale.Exp(ten, big.NewInt(power), nil)
		}
	}
	x.Mul(x, &t.scale)
}

// remark adds to a message how far apart two numbers are.
func (t *tolerance) remark(expected, got []byte) string {
	if t == nil {
		return ""
	}
	e, ok := parseNumber(expected)
	if !ok {
		return ""
	}
	g, ok := parseNumber(got)
	if !ok {
		return ", which is no number"
	}
	return fmt.Sprintf(", which differs by %.3g", math.Abs(e.float()-g.float()))
}
