// Package victims is the corpus: hostile programs, and for each what it must
// meet inside a cell. rows.yaml is the list; the programs are the C files in src, one
// binary of many names. See docs/containment.md.
package victims

import "embed"

// Source holds the programs.
//
//go:embed src/*.c src/*.h
var Source embed.FS

//go:embed rows.yaml
var rows []byte

//go:embed vacuous.yaml
var vacuous []byte

// Program is the first word of a row's command that stands for the victims'
// binary. Inside a cell it lies in the job's directory.
const Program = "victim"
