// Package policy holds the policy document and decides what a job may have.
//
// A Policy is the ceiling an operator sets. A Request is what a job asks for.
// Resolve turns both into a Grant: every limit set, none above its ceiling. A
// request that asks for more is refused with every reason at once; nothing is
// clamped in silence.
//
// The package is pure: it reads no file, makes no kernel call and imports the
// standard library alone, so that the same policy and request give the same
// Grant on every machine. Package policies reads the documents from YAML.
package policy
