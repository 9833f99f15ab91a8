package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"cordon/httpapi"
	"cordon/webhook"
)

// secretFile is the name of the webhooks' secret in the state directory.
const secretFile = "webhook-secret"

// webhookSecret is where the secret lies, and whether the service makes it.
func (c *config) webhookSecret() (name string, own bool) {
	if c.WebhookSecret != "" {
		return c.WebhookSecret, false
	}
	return filepath.Join(c.State, secretFile), true
}

// webhookSettings are those of webhooks, read.
func (c *config) webhookSettings() (hosts *webhook.Hosts, ttl time.Duration, err error) {
	if hosts, err = webhook.ParseHosts(words(c.WebhookHosts)); err != nil {
		return nil, 0, fmt.Errorf("webhook-hosts: %w", err)
	}
	if ttl, err = time.ParseDuration(c.WebhookTTL); err != nil || ttl <= 0 || ttl > 30*24*time.Hour {
		return nil, 0, fmt.Errorf("webhook-ttl: %q given, a duration such as 24h is wanted, up to 720h", c.WebhookTTL)
	}
	return hosts, ttl, nil
}

// checkWebhooks holds the settings of webhooks against each other.
func (c *config) checkWebhooks() error {
	hosts, _, err := c.webhookSettings()
	if err != nil {
		return err
	}
	if hosts.Len() > 0 && c.QueueJobs == 0 {
		return errors.New("webhook-hosts: given with queue-jobs 0; webhooks tell of queued jobs")
	}
	for _, one := range []struct{ name, value string }{{"webhook-secret", c.WebhookSecret}, {"webhook-ca", c.WebhookCA}} {
		if hosts.Len() == 0 && one.value != "" {
			return fmt.Errorf("%s: given without webhook-hosts, to which it belongs", one.name)
		}
	}
	return nil
}

// hooks are webhooks as the API wants them. Without hosts in the list nothing new is
// taken; what an earlier start has left comes to its end all the same. nil: others who
// share the queue do that.
func (c *config) hooks(logger *slog.Logger) (*httpapi.Hooks, error) {
	hosts, ttl, err := c.webhookSettings()
	if err != nil || hosts.Len() == 0 && c.QueueURL != "" {
		return nil, err
	}
	var secrets webhook.Secrets
	if hosts.Len() > 0 {
		if secrets, err = c.loadSecrets(); err != nil {
			return nil, err
		}
	}
	sender, err := webhook.NewSender(webhook.Config{Hosts: hosts, Secrets: secrets, CA: c.WebhookCA, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("webhook-ca: %w", err)
	}
	return &httpapi.Hooks{Hosts: hosts, Sender: sender, For: ttl}, nil
}

// loadSecrets reads the secret. The service makes its own at the first start; a file that
// is named has to be there: one that is not may be a mistake, or come later.
func (c *config) loadSecrets() (s webhook.Secrets, err error) {
	name, own := c.webhookSecret()
	if own {
		s, err = webhook.CreateSecrets(name)
	} else {
		s, err = webhook.LoadSecrets(name)
	}
	if err != nil {
		return s, fmt.Errorf("webhook-secret: %w", err)
	}
	return s, nil
}

func newWebhookCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "webhook", Short: "What receivers of webhooks need"}
	var tenant string
	secret := &cobra.Command{
		Use: "secret", Short: "Print the secret that webhooks are signed with", Args: cobra.NoArgs,
		Long: "Prints what a receiver checks the signatures of webhooks with, of the service with this state directory\n" +
			"or --webhook-secret. While the secret is changed there are two, the new one first. Each tenant has its own.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			name, own := c.webhookSecret()
			s, err := webhook.LoadSecrets(name)
			if errors.Is(err, fs.ErrNotExist) && own {
				return fmt.Errorf("no secret in %s yet: start the service once with the same --state and with --webhook-hosts", c.State)
			}
			if err != nil {
				return fmt.Errorf("webhook-secret: %w", err)
			}
			for _, text := range s.Reveal(tenant) {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), text); err != nil {
					return err
				}
			}
			return nil
		},
	}
	addFlags(secret.Flags())
	for _, o := range options {
		if o.flag != "state" && o.flag != "webhook-secret" {
			_ = secret.Flags().MarkHidden(o.flag)
		}
	}
	secret.Flags().StringVar(&tenant, "tenant", "", "`name` of the tenant whose jobs the webhooks tell of; empty: nobody in particular")
	cmd.AddCommand(secret)
	return cmd
}
