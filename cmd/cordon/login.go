package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"cordon/client"
	"cordon/httpapi"
)

// linkWithin is how long a service on this machine may take to make a link.
const linkWithin = 10 * time.Second

// printLink asks the service that runs with these settings for a link to its page.
func printLink(ctx context.Context, c *config, url string, token httpapi.Token, out io.Writer) error {
	at, err := (&remote{url: url}).address(c)
	if err != nil {
		return err
	}
	if strings.HasPrefix(at, "unix:") {
		return fmt.Errorf("the service listens on %s alone, where no browser reaches it: give it an address with --listen, or the one of a proxy with --url", at)
	}
	if !isLocal(at) && !strings.HasPrefix(at, "https://") {
		return fmt.Errorf("--url: %q given; the token is only sent to this machine, or to https://", at)
	}
	s, err := client.New(at, client.WithToken(token.Reveal()), client.WithUserAgent("cordon/"+version), client.WithRetries(0, 0))
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	defer s.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, linkWithin)
	defer cancel()
	link, err := s.LoginLink(ctx)
	if err != nil {
		return fmt.Errorf("no link: %w; is the service running, with the same --state and --listen?", err)
	}
	_, err = fmt.Fprintln(out, httpapi.LoginLink(at, link.Code))
	return err
}

// offerLink prints a link to the page where a person sees it: a log is read by others, too,
// and kept.
func offerLink(out io.Writer, listeners []net.Listener, code func() (string, time.Time)) {
	if file, ok := out.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return
	}
	for _, l := range listeners {
		if l.Addr().Network() != "unix" {
			text, until := code()
			fmt.Fprintf(out, "cordon: open %s in a browser; the link is good once, until %s\n", httpapi.LoginLink(callable(l), text), until.Format(time.TimeOnly))
			return
		}
	}
}
