package bootstrap

import (
	"context"
	"fmt"
)

// Archive is where packages of a suite come from on this machine.
type Archive struct {
	Lines []string // as in sources.list
	Ways  []string // settings of apt's about how they are reached, without the semicolon
}

// ArchiveOf looks for a suite of Debian where this machine's apt has it from. dir is a
// directory for files in between.
func ArchiveOf(ctx context.Context, suite, dir string) (*Archive, error) {
	o := &Options{Suite: suite, Variant: "apt"}
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("the image's release: %w", err)
	}
	wanted, err := o.sources(ctx)
	if err != nil {
		return nil, err
	}
	ways, err := aptWays(ctx)
	if err != nil {
		return nil, err
	}
	there, _, err := reached(ctx, dir, wanted)
	if err != nil {
		return nil, err
	}
	a := &Archive{Ways: ways}
	for _, s := range there {
		a.Lines = append(a.Lines, s.line())
	}
	return a, nil
}
