package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"cordon/image"
)

// damagedImage is the exit status of a verify that found something.
const damagedImage statusError = 1

func imageVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify [IMAGE…]", Short: "Read images again, and see that nothing has changed; exit status 1 if something has",
		Long: "Tells each layer's archive again, from its record and its files, and holds it against the layer's digest; then holds\n" +
			"the tree against what the archive makes: modes, owners, links, and that nothing was added. Without an IMAGE all.",
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withImages(cmd, nil, func(ctx context.Context, s *image.Store) error {
			problems := []image.Problem{}
			all, err := chosen(s, args)
			if errors.Is(err, image.ErrDamaged) { // of the store's own files: a finding like others
				problems = append(problems, image.Problem{What: err.Error()})
				if !*asJSON {
					fmt.Fprintln(cmd.OutOrStdout(), plainText(err.Error()))
				}
			} else if err != nil {
				return err
			}
			for _, i := range all {
				more, err := s.Verify(ctx, i)
				if err != nil {
					return err
				}
				problems = append(problems, more...)
				if !*asJSON {
					tellVerified(cmd, i, more)
				}
			}
			if *asJSON {
				if err := printJSON(cmd.OutOrStdout(), problems); err != nil {
					return err
				}
			}
			if len(problems) > 0 {
				return damagedImage
			}
			return nil
		})
	}
	return cmd
}

func tellVerified(cmd *cobra.Command, i *image.Image, problems []image.Problem) {
	if len(problems) == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s: as it came\n", shortID(i.ID), strings.Join(i.Names, " "))
		return
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s %s: damaged\n", shortID(i.ID), strings.Join(i.Names, " "))
	for _, p := range problems {
		fmt.Fprintf(cmd.OutOrStdout(), "  layer %s: %q: %s\n", shortID(p.Layer), p.Entry, plainText(p.What))
	}
}

func chosen(s *image.Store, names []string) ([]*image.Image, error) {
	if len(names) == 0 {
		return s.List()
	}
	var all []*image.Image
	for _, n := range names {
		r, err := image.ParseRef(n)
		if err != nil {
			return nil, err
		}
		i, err := s.Get(r)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

func imageRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove IMAGE…", Aliases: []string{"rm"}, Short: "Remove names, and images that have no other",
		Long: "Removes a name, and the image with it when that was its last one; by its digest an image goes with all its names.\n" +
			"Layers that no other image has go too, but for those that a job uses: a later prune removes these.",
		Args: cobra.MinimumNArgs(1),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withImages(cmd, nil, func(_ context.Context, s *image.Store) error {
			var errs []error
			for _, a := range args {
				r, err := image.ParseRef(a)
				if err == nil {
					var gone *image.Removed
					if gone, err = s.Remove(r); err == nil {
						err = printRemoved(cmd, *asJSON, gone)
					}
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
	}
	return cmd
}

func imagePruneCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "prune", Short: "Remove images without a name, and layers of no image", Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withImages(cmd, nil, func(_ context.Context, s *image.Store) error {
			gone, err := s.Prune()
			if err != nil {
				return err
			}
			return printRemoved(cmd, *asJSON, gone)
		})
	}
	return cmd
}

func printRemoved(cmd *cobra.Command, asJSON bool, r *image.Removed) error {
	if asJSON {
		return printJSON(cmd.OutOrStdout(), r)
	}
	for _, n := range r.Names {
		fmt.Fprintf(cmd.OutOrStdout(), "removed the name %s\n", n)
	}
	for _, i := range r.Images {
		fmt.Fprintf(cmd.OutOrStdout(), "removed the image %s\n", i)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "removed %s, %v\n", layersOf(len(r.Layers)), size(r.Bytes))
	if r.Stale > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "removed what %d killed processes had left\n", r.Stale)
	}
	if len(r.Busy) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "in use, until a later prune: %s\n", layersOf(len(r.Busy)))
	}
	return nil
}
