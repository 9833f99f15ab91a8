package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"cordon/image"
)

func imagePullCommand() *cobra.Command {
	var o image.PullOptions
	var platform, ca string
	var passwordStdin bool
	cmd := &cobra.Command{
		Use:   "pull NAME[:TAG|@DIGEST]",
		Short: "Bring in an image of a registry",
		Long: "Brings in an image of a registry. Without --username the login of docker login, in ~/.docker/config.json, is used,\n" +
			"where there is one for the registry.",
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "", "`NAME[:TAG]` for the image, instead of the one it was asked for by")
	f.StringVar(&platform, "platform", "", "`OS/ARCHITECTURE` that is wanted, such as linux/amd64; this machine's by default")
	f.StringVar(&o.Username, "username", "", "`user` at the registry")
	f.BoolVar(&passwordStdin, "password-stdin", false, "read the password from standard input")
	f.StringVar(&ca, "ca", "", "`file` of certificates that the registry's is signed with, besides the system's")
	f.BoolVar(&o.Plain, "plain-http", false, "speak HTTP to the registry, which anybody on the way can read and change")
	limits, asJSON := limitFlags(f), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if o.Name, err = givenName(o.Name); err != nil {
			return err
		}
		if o.Platform, err = image.ParsePlatform(platform); err != nil {
			return err
		}
		if passwordStdin != (o.Username != "") {
			return errors.New("--username and --password-stdin belong together")
		}
		o.UserAgent = "cordon/" + version
		if o.Roots, err = trusted(ca); err != nil {
			return err
		}
		return withImages(cmd, limits, func(ctx context.Context, s *image.Store) error {
			if passwordStdin {
				if o.Password, err = readPassword(ctx, os.Stdin); err != nil {
					return fmt.Errorf("--password-stdin: %w", err)
				}
			}
			a, err := s.Pull(ctx, args[0], o)
			if err != nil {
				return err
			}
			return printAdded(cmd, *asJSON, a)
		})
	}
	return cmd
}

const passwordMax = 64 << 10

// readPassword can be stopped while it waits: signals do not end the process here.
func readPassword(ctx context.Context, from io.Reader) (string, error) {
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(from, passwordMax+1))
		done <- read{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case r := <-done:
		text := bytes.TrimRight(r.text, "\r\n")
		switch {
		case r.err != nil:
			return "", r.err
		case len(r.text) > passwordMax:
			return "", fmt.Errorf("more than %d bytes", passwordMax)
		case len(text) == 0:
			return "", errors.New("nothing came")
		}
		return string(text), nil
	}
}

// trusted are the system's certificates and those of a file; nil: the system's alone.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("--ca: the system's certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM", file)
	}
	return pool, nil
}
