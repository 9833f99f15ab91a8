package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"cordon/image"
)

// damagedImage is the exit status of a verify that found something.
const damagedImage statusError = 1

// shortID is what tables show of a digest.
func shortID(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return hex[:min(12, len(hex))]
}

func printAdded(cmd *cobra.Command, asJSON bool, all ...*image.Added) error {
	if asJSON {
		out := []any{}
		for _, a := range all {
			out = append(out, map[string]any{"image": a.Told(), "new_layers": a.New, "notes": a.Notes, "noted": a.Noted, "names_kept_by_others": a.Kept})
		}
		return printJSON(cmd.OutOrStdout(), out)
	}
	w := cmd.OutOrStdout()
	for _, a := range all {
		fmt.Fprintf(w, "%s %s: %d layers, %d of them new, %v\n", a.ID, strings.Join(a.Names, " "), len(a.Layers), a.New, size(a.Bytes()))
		for _, n := range a.Kept {
			fmt.Fprintf(w, "  the name %s stays with another image; --name %s moves it\n", n, n)
		}
		for _, n := range a.Notes[:min(len(a.Notes), 10)] {
			fmt.Fprintf(w, "  %q: %s\n", n.Entry, n.Note)
		}
		if more := a.Noted - 10; more > 0 {
			fmt.Fprintf(w, "  and %d more entries that are not as they came\n", more)
		}
	}
	return nil
}

func imageListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the images", Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withImages(cmd, nil, func(_ context.Context, s *image.Store) error {
			all, err := s.List()
			if err != nil {
				return err
			}
			if *asJSON {
				out := []json.Marshaler{}
				for _, i := range all {
					out = append(out, i.Told())
				}
				return printJSON(cmd.OutOrStdout(), out)
			}
			t := newTable("name", "id", "layers", "size", "added")
			for _, i := range all {
				names := i.Names
				if len(names) == 0 {
					names = []string{"–"}
				}
				for _, n := range names {
					t.AppendRow(table.Row{n, shortID(i.ID), len(i.Layers), size(i.Bytes()), i.Added.Format(time.DateTime)})
				}
			}
			return printTable(cmd.OutOrStdout(), t)
		})
	}
	return cmd
}

// ofImage is a command about one image.
func ofImage(use, short string, do func(ctx context.Context, cmd *cobra.Command, s *image.Store, i *image.Image, asJSON bool) error) *cobra.Command {
	cmd := &cobra.Command{Use: use + " IMAGE", Short: short, Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := image.ParseRef(args[0])
		if err != nil {
			return err
		}
		return withImages(cmd, nil, func(ctx context.Context, s *image.Store) error {
			i, err := s.Get(r)
			if err != nil {
				return err
			}
			return do(ctx, cmd, s, i, *asJSON)
		})
	}
	return cmd
}

func imageHistoryCommand() *cobra.Command {
	return ofImage("history", "Show how an image was made, its latest layer first", func(_ context.Context, cmd *cobra.Command, _ *image.Store, i *image.Image, asJSON bool) error {
		steps, err := i.History()
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), steps)
		}
		t := newTable("layer", "created", "created by", "size", "comment")
		t.SetColumnConfigs([]table.ColumnConfig{{Name: "created by", WidthMax: 70}, {Name: "comment", WidthMax: 30}})
		for _, h := range steps {
			created := ""
			if !h.Created.IsZero() {
				created = h.Created.UTC().Format(time.DateTime)
			}
			t.AppendRow(table.Row{shortID(h.DiffID), created, plainText(h.CreatedBy), size(h.Bytes), plainText(h.Comment)})
		}
		return printTable(cmd.OutOrStdout(), t)
	})
}

// plainText: what an image says of itself goes to a terminal.
func plainText(text string) string {
	return oneLine(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text))
}

func imageShowCommand() *cobra.Command {
	return ofImage("show", "Show an image: its configuration and its layers", func(_ context.Context, cmd *cobra.Command, _ *image.Store, i *image.Image, asJSON bool) error {
		if asJSON {
			return printJSON(cmd.OutOrStdout(), i.Told())
		}
		f, err := i.File()
		if err != nil {
			return err
		}
		t := newTable("field", "value")
		t.SetColumnConfigs([]table.ColumnConfig{{Name: "value", WidthMax: 100}})
		row := func(name string, values ...string) {
			for _, v := range values {
				if v != "" {
					t.AppendRow(table.Row{name, plainText(v)})
				}
				name = ""
			}
		}
		row("id", i.ID)
		row("names", i.Names...)
		row("manifests", i.Manifests...)
		row("platform", f.Platform().String())
		row("added", i.Added.Format(time.DateTime))
		row("entrypoint", quotedWords(f.Config.Entrypoint))
		row("cmd", quotedWords(f.Config.Cmd))
		row("env", f.Config.Env...)
		row("user", f.Config.User)
		row("working directory", f.Config.WorkingDir)
		for n, l := range i.Layers {
			row(fmt.Sprintf("layer %d", n+1), fmt.Sprintf("%s %v", l.DiffID, size(l.Bytes)))
		}
		return printTable(cmd.OutOrStdout(), t)
	})
}

func quotedWords(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf("%q", words)
}

func imageVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify [IMAGE…]", Short: "Read images again, and see that nothing has changed; exit status 1 if something has",
		Long: "Tells each layer's archive again, from its record and its files, and holds it against the layer's digest; then holds\n" +
			"the tree against what the archive makes: modes, owners, links, and that nothing was added. Without an IMAGE all.",
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withImages(cmd, nil, func(ctx context.Context, s *image.Store) error {
			all, err := chosen(s, args)
			if err != nil {
				return err
			}
			problems := []image.Problem{}
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
		fmt.Fprintf(cmd.OutOrStdout(), "name %s\n", n)
	}
	for _, i := range r.Images {
		fmt.Fprintf(cmd.OutOrStdout(), "image %s\n", i)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d layers, %v\n", len(r.Layers), size(r.Bytes))
	if len(r.Busy) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%d layers are in use and stay until a later prune\n", len(r.Busy))
	}
	return nil
}
