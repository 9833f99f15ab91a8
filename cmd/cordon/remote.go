package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"cordon/client"
	"cordon/httpapi"
)

// serviceState is where a service of the machine's own user keeps its token.
const serviceState = "/var/lib/cordon"

// remote is how a command of the client's side finds its service.
type remote struct{ url, tokenFile string }

// remoteHelp stands in the help of each such command.
const remoteHelp = "\n\nThe service is that of --url or CORDON_URL, else the one that cordon serve would be with the same variables\n" +
	"and CORDON_CONFIG: http://127.0.0.1:8080. The token is that of --token-file, else CORDON_TOKEN, else, for a\n" +
	"service on this machine, the one in its state directory (CORDON_STATE, or " + serviceState + ")."

func (r *remote) add(flags *pflag.FlagSet) {
	flags.StringVar(&r.url, "url", "", "`URL` of the service: http://host:port, https://host, or unix:/path")
	flags.StringVar(&r.tokenFile, "token-file", "", "`file` with the API's token")
}

// patience is how a client deals with a service that is not there.
type patience int

const (
	hasty   patience = iota // who asks sits there and waits
	patient                 // who follows a job goes on when the service is back
)

// client makes the client.
func (r *remote) client(p patience) (*client.Client, error) {
	var c config
	if r.needsConfig() {
		var err error
		if c, err = loadConfig(pflag.NewFlagSet("", pflag.ContinueOnError)); err != nil {
			return nil, err
		}
	}
	at, err := r.address(&c)
	if err != nil {
		return nil, err
	}
	token, err := r.token(&c, isLocal(at))
	if err != nil {
		return nil, err
	}
	options := []client.Option{client.WithToken(token), client.WithUserAgent("cordon/" + version)}
	if p == hasty {
		options = append(options, client.WithRetries(3, 5*time.Second))
	} else {
		options = append(options, client.WithRetries(20, 5*time.Second))
	}
	made, err := client.New(at, options...)
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	return made, nil
}

// needsConfig: the settings of a service on this machine tell what nobody has said.
func (r *remote) needsConfig() bool {
	_, token := os.LookupEnv("CORDON_TOKEN")
	return r.url == "" && os.Getenv("CORDON_URL") == "" || r.tokenFile == "" && !token
}

// knows asks for a job before it is followed with patience: that is for a service that goes
// away, not for one that is not there.
func (r *remote) knows(ctx context.Context, id string) error {
	c, err := r.client(hasty)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	_, err = c.Job(ctx, id)
	return err
}

// address is that of the service.
func (r *remote) address(c *config) (string, error) {
	for _, given := range []string{r.url, os.Getenv("CORDON_URL")} {
		if given != "" {
			return given, nil
		}
	}
	if c.Listen == "" {
		return "unix:" + c.Socket, nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port == "0" {
		return "", fmt.Errorf("the service listens on %q, which does not tell its address: give it with --url", c.Listen)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// isLocal: the address leads to this machine.
func isLocal(at string) bool {
	if strings.HasPrefix(at, "unix:") {
		return true
	}
	u, err := url.Parse(at)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// token is the one to show. That of a service on this machine is shown to no other.
func (r *remote) token(c *config, local bool) (string, error) {
	if r.tokenFile != "" {
		text, err := os.ReadFile(r.tokenFile)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		if len(strings.Fields(string(text))) != 1 {
			return "", fmt.Errorf("--token-file: %s has not one word, the token, in it", r.tokenFile)
		}
		return strings.TrimSpace(string(text)), nil
	}
	if _, given := os.LookupEnv("CORDON_TOKEN"); !given && !local {
		return "", errors.New("no token: give that of a service on another machine with --token-file or CORDON_TOKEN")
	}
	token, err := httpapi.LoadToken(c.State)
	if errors.Is(err, fs.ErrNotExist) && c.State != serviceState {
		token, err = httpapi.LoadToken(serviceState)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", fmt.Errorf("no token in %s nor %s (%w): give it with --token-file or CORDON_TOKEN", c.State, serviceState, err)
	}
	if err != nil {
		return "", err
	}
	return token.Reveal(), nil
}

// command makes a command of the client's side.
func (r *remote) command(cmd *cobra.Command) *cobra.Command {
	cmd.Long += remoteHelp
	r.add(cmd.Flags())
	return cmd
}

// untilInterrupted is the context of a command that may be interrupted.
func untilInterrupted(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
}
