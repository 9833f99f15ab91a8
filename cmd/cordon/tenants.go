package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cordon/httpapi"
	"cordon/sandbox"
	"cordon/tenants"
)

// holdingsDir is where it is kept which files are whose, below the state directory.
const holdingsDir = "holdings"

// tenancy is what the API knows of tenants.
func (e *engine) tenancy(c *config, meter *tenants.Meter) (*httpapi.Tenancy, error) {
	t := &httpapi.Tenancy{Keys: e.tenants, Meter: meter}
	if e.files == nil || e.shared != nil { // whose shared files are is told by their names
		return t, nil
	}
	var err error
	t.Holdings, err = tenants.OpenHoldings(filepath.Join(c.State, holdingsDir), func(sum string) (int64, bool) {
		info, err := e.files.Stat(sum)
		return info.Size, err == nil
	})
	if err != nil {
		return nil, err
	}
	e.files.OnGone(t.Holdings.Gone)
	return t, nil
}

// shares are what tenants may have at once of what runs here; nil: there are none.
func shares(all *tenants.Registry) func(name string) sandbox.Share {
	if all == nil {
		return nil
	}
	return func(name string) sandbox.Share {
		l := all.Limits(name)
		return sandbox.Share{Places: l.Concurrency, Memory: l.MemoryBytes}
	}
}

// followShares has the runner look again whenever the limits of tenants change.
func (e *engine) followShares(ctx context.Context) {
	for {
		changed := e.tenants.Changed()
		e.runner.Reconsider()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// addTenantFlags declares the settings that say where the file of tenants is.
func addTenantFlags(f *pflag.FlagSet) {
	defaults := defaultConfig()
	for _, o := range options {
		if o.flag == "state" || o.flag == "tenants" {
			f.String(o.flag, *o.text(&defaults), o.usage)
		}
	}
	f.String("config", "", "YAML `file` with the service's settings")
}

// tenantsFile is the file that these settings name.
func tenantsFile(cmd *cobra.Command) (tenants.File, error) {
	c, err := loadConfig(cmd.Flags())
	return tenants.File(c.Tenants), err
}

// days reads a duration that may be given in days: 90d.
func days(name, text string) (time.Duration, error) {
	number, factor := text, time.Duration(1)
	if n := len(text); n > 0 && text[n-1] == 'd' {
		number, factor = text[:n-1]+"h", 24
	}
	d, err := time.ParseDuration(number)
	if err != nil || d < 0 || d > 100*365*24*time.Hour/factor {
		return 0, fmt.Errorf("--%s: %q given, a duration such as 90d, 24h or 30m is wanted", name, text)
	}
	return d * factor, nil
}

// day is a time as tables have it.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}
