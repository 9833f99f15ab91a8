package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"cordon/audit"
	"cordon/httpapi"
	"cordon/tenants"
)

// openAudit opens the audit log; nil where none is asked for.
func openAudit(c *config, logger *slog.Logger) (*audit.Log, error) {
	if c.AuditLog == "" {
		return nil, nil
	}
	start, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	l, err := audit.Open(c.AuditLog, start.String(), logger)
	if err != nil {
		return nil, fmt.Errorf("audit-log: %w; a service that cannot write it does not start", err)
	}
	return l, nil
}

// auditSource says whether source texts are written down.
func (c *config) auditSource() (bool, error) {
	switch c.AuditSource {
	case "off":
		return false, nil
	case "on":
		if c.AuditLog == "" {
			return false, errors.New("audit-source: given without audit-log, to which it belongs")
		}
		return true, nil
	}
	return false, fmt.Errorf("audit-source: %q given, allowed are on and off", c.AuditSource)
}

// changed are the names of the settings that are not as they are by default.
func (c *config) changed() (names []string) {
	defaults := defaultConfig()
	if err := defaults.check(); err != nil { // which fills in what follows from others
		return nil
	}
	for _, o := range options {
		if o.flag == "go-cache" && c.GoCache == filepath.Join(c.State, "go-cache") || o.flag == "tenants" && c.Tenants == filepath.Join(c.State, tenants.FileName) {
			continue // follows from state
		}
		if o.text != nil && *o.text(c) != *o.text(&defaults) || o.number != nil && *o.number(c) != *o.number(&defaults) {
			names = append(names, o.flag)
		}
	}
	return names
}

// reload does on SIGHUP what an operator has changed files for: the audit log was given
// another name, or there is another secret for webhooks. It returns what ends that. A
// service that has neither ends on SIGHUP, as when its terminal is closed.
func reload(ctx context.Context, c *config, log *audit.Log, hooks *httpapi.Hooks, logger *slog.Logger) (stop func()) {
	hooked := hooks != nil && hooks.Hosts.Len() > 0
	if log == nil && !hooked {
		return func() {}
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer signal.Stop(asked)
		for {
			select {
			case <-ctx.Done():
				return
			case <-asked:
			}
			log.Reopen()
			if !hooked {
				continue
			}
			if secrets, err := c.loadSecrets(); err != nil {
				logger.Error("the secret of webhooks cannot be read; the one from before is used", "error", err)
			} else {
				hooks.Sender.Use(secrets)
				logger.Info("the secret of webhooks was read again")
			}
		}
	}()
	return func() { cancel(); <-ended }
}
