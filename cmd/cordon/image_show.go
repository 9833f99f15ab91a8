package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"cordon/image"
)

// shortID is what tables show of a digest.
func shortID(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return hex[:min(12, len(hex))]
}

func printAdded(cmd *cobra.Command, asJSON bool, all ...*image.Added) error {
	if asJSON {
		out := []any{}
		for _, a := range all {
			out = append(out, map[string]any{"image": a.Told(), "new_layers": a.New, "notes": append([]image.Note{}, a.Notes...), "noted": a.Noted,
				"names_kept_by_others": append([]string{}, a.Kept...)})
		}
		return printJSON(cmd.OutOrStdout(), out)
	}
	w := cmd.OutOrStdout()
	for _, a := range all {
		fmt.Fprintf(w, "%s %s: %s, %d new, %v\n", a.ID, strings.Join(a.Names, " "), layersOf(len(a.Layers)), a.New, size(a.Bytes()))
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

func layersOf(n int) string {
	if n == 1 {
		return "1 layer"
	}
	return fmt.Sprintf("%d layers", n)
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
		if unicode.IsPrint(r) {
			return r
		}
		return ' ' // control codes, and what turns the direction of what is behind it
	}, text))
}

func imageShowCommand() *cobra.Command {
	return ofImage("show", "Show an image: its configuration and its layers", func(_ context.Context, cmd *cobra.Command, _ *image.Store, i *image.Image, asJSON bool) error {
		if asJSON {
			return printJSON(cmd.OutOrStdout(), i.Told())
		}
		return showImage(cmd.OutOrStdout(), i)
	})
}

func showImage(w io.Writer, i *image.Image) error {
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
	if p := f.Platform(); p != nil {
		row("platform", p.String())
	} else {
		row("platform", "its configuration names none")
	}
	row("added", i.Added.Format(time.DateTime))
	row("entrypoint", quotedWords(f.Config.Entrypoint))
	row("cmd", quotedWords(f.Config.Cmd))
	row("env", f.Config.Env...)
	row("user", f.Config.User)
	row("working directory", f.Config.WorkingDir)
	for n, l := range i.Layers {
		row(fmt.Sprintf("layer %d", n+1), fmt.Sprintf("%s %v", l.DiffID, size(l.Bytes)))
	}
	return printTable(w, t)
}

func quotedWords(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf("%q", words)
}
