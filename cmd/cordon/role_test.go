package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRoles holds what each role wants of the other settings.
func TestRoles(t *testing.T) {
	secret, open := filepath.Join(t.TempDir(), "secret"), filepath.Join(t.TempDir(), "open")
	for name, mode := range map[string]os.FileMode{secret: 0o600, open: 0o644} {
		if err := os.WriteFile(name, []byte("0123456789abcdef\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		change func(*config)
		wrong  string
	}{
		{func(*config) {}, ""},
		{func(c *config) { c.Role = "boss" }, "allowed are all, api and worker"},
		{func(c *config) { c.Role = roleWorker }, "worker wants queue-url"},
		{func(c *config) { c.Role = roleAPI }, "api wants queue-url or queue-listen"},
		{func(c *config) { c.Role, c.QueueURL = roleWorker, "nats://queue.example" }, ""},
		{func(c *config) { c.Role, c.QueueURL, c.QueueJobs = roleWorker, "nats://queue.example", 0 }, "want a queue"},
		{func(c *config) { c.QueueListen = "127.0.0.1:4222" }, "wants queue-secret"},
		{func(c *config) { c.QueueListen, c.QueueSecret = "127.0.0.1:4222", open }, "chmod 600"},
		{func(c *config) { c.QueueListen, c.QueueSecret = "127.0.0.1:4222", secret }, ""},
		{func(c *config) { c.QueueListen, c.QueueSecret = "0.0.0.0:4222", secret }, "a certificate and its key are wanted"},
		{func(c *config) {
			c.QueueListen, c.QueueSecret, c.QueueURL = "127.0.0.1:4222", secret, "nats://queue.example"
		}, "both are given"},
		{func(c *config) { c.QueueListenKey = "key" }, "without queue-listen"},
		{func(c *config) { c.QueueLease = "10" }, "queue-lease"},
	} {
		d := defaultConfig()
		d.State = t.TempDir()
		c.change(&d)
		err := d.check()
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%+v: %v, want %q", d, err, c.wrong)
		}
	}
}
