package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"cordon/httpapi"
	"cordon/store"
	"cordon/tenants"
)

const (
	snippetsDir   = "snippets"         // below the state directory
	snippetOwners = "snippet-holdings" // likewise
	snippetsBytes = 64 << 20
	snippetsMost  = 10_000
	snippetsTTL   = 30 * 24 * time.Hour
)

// snippetsAt is the directory of the snippets; "": none are kept.
func (c *config) snippetsAt() (string, error) {
	switch {
	case c.Snippets == "off":
		return "", nil
	case c.Snippets == "on":
		return filepath.Join(c.State, snippetsDir), nil
	case filepath.IsAbs(c.Snippets):
		return c.Snippets, nil
	}
	return "", fmt.Errorf("snippets: %q given, allowed are off, on, and an absolute path of a directory for them alone", c.Snippets)
}

// openSnippets opens them, or none; done closes them.
func openSnippets(ctx context.Context, c *config, logger *slog.Logger) (kept *httpapi.Snippets, done func() error, err error) {
	dir, err := c.snippetsAt()
	if err != nil || dir == "" || c.Role == roleWorker {
		return nil, func() error { return nil }, err
	}
	texts, err := store.Open(store.Config{Dir: dir, MaxBytes: snippetsBytes, MaxFiles: snippetsMost, MaxFileBytes: httpapi.SnippetMax, TTL: snippetsTTL, Logger: logger})
	if err != nil {
		return nil, nil, fmt.Errorf("snippets: %w; --snippets off does without", err)
	}
	owners, err := tenants.OpenHoldings(filepath.Join(c.State, snippetOwners), func(sum string) (int64, bool) {
		info, err := texts.Stat(sum)
		return info.Size, err == nil
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("snippets: %w", err), texts.Close())
	}
	texts.OnGone(owners.Gone)
	go sweepFiles(ctx, texts)
	return &httpapi.Snippets{Store: texts, Holdings: owners, Most: snippetsBytes / 4, MostOf: snippetsMost / 4, TTL: snippetsTTL}, texts.Close, nil
}
