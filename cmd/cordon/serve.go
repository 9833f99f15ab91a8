package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"cordon/audit"
	"cordon/httpapi"
	"cordon/imageroots"
	"cordon/internal/doctor"
	"cordon/tenants"
)

func newServeCommand() *cobra.Command {
	var hello bool
	var logFormat, trace string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Start the HTTP service",
		Long: "Starts the service as the calling, unprivileged user. Every setting has a flag, a variable\n" +
			"(CORDON_LISTEN for --listen, and so on) and a key in the --config file; a flag wins over its\n" +
			"variable, and that over the file. The API's token is CORDON_TOKEN, or the one that cordon token prints.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			if hello && c.AuditLog == audit.Stdout {
				return errors.New("--hello prints to the standard output, where --audit-log - wants to be alone; give one of them")
			}
			if !inside && c.Role == roleAPI {
				err = beginAPI(&c)
			} else if !inside {
				return enterNamespace("serve", privateName(&c), &c)
			}
			if err != nil {
				return err
			}
			logger, err := newLogger(logFormat, &c)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), &c, logger, trace, hello, cmd.OutOrStdout())
		},
	}
	addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&hello, "hello", false, "run a first job over HTTP when ready, and print its account")
	cmd.Flags().StringVar(&trace, "trace", "", "`file` for the trace of every job, as cordon bench --trace reads it")
	_ = cmd.Flags().MarkHidden("trace")
	cmd.Flags().StringVar(&logFormat, "log", "text", "`format` of the log on standard error: text or json")
	return cmd
}

func newLogger(format string, c *config) (*slog.Logger, error) {
	level, err := c.logLevel()
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, options)), nil
	}
	return nil, fmt.Errorf("--log: %q given, allowed are text and json", format)
}

// serve runs the service inside the daemon's user namespace until a signal.
func serve(ctx context.Context, c *config, logger *slog.Logger, trace string, hello bool, out io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM)
	defer stop()
	if c.Role != roleAPI {
		leaveProcessors()
	}
	lock, err := lockState(c.State)
	if err != nil {
		return err
	}
	defer lock.Close()
	token, err := httpapi.LoadOrCreateToken(c.State)
	if err != nil {
		return err
	}
	keys, err := tenants.Follow(tenants.File(c.Tenants), logger)
	if err != nil {
		return err
	}
	defer keys.Close()
	listeners, err := listen(c)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	log, err := openAudit(c, logger)
	if err != nil {
		return err
	}
	e, err := newEngineFor(ctx, engineOptions{config: *c, audit: log, instance: instanceName(c.State), runFiles: c.runFiles(),
		parallel: c.Parallel, warm: c.Warm, files: true, languages: true, images: true, logger: logger, tenants: keys})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	t, err := newTracer(trace)
	if err != nil {
		return errors.Join(fmt.Errorf("trace: %w", err), e.close(), log.Close())
	}
	err = e.serve(ctx, c, logger, log, token, listeners, t, func(made *httpapi.Server) {
		ready(ctx, c, logger, token, listeners, hello, out)
		if c.Role != roleWorker {
			offerLink(out, listeners, made.LoginCode)
		}
	})
	return errors.Join(err, t.close(), e.close(), log.Close())
}

// leaveProcessors has the service's own code run on half of the processors: what
// there is to do is done by jobs and by the kernel, and with fewer threads that wake
// each other a job costs less. GOMAXPROCS in the environment wins.
func leaveProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2))
	}
}

// serve proves every guard, then answers requests.
func (e *engine) serve(ctx context.Context, c *config, logger *slog.Logger, log *audit.Log, token httpapi.Token, listeners []net.Listener, t *tracer, ready func(*httpapi.Server)) error {
	if err := e.prepare(); err != nil {
		return err
	}
	settings := httpapi.Config{Version: version, Token: token, Policies: resolver{e.policies}, Quiet: c.Role == roleWorker,
		Languages: e.languages, MaxJobs: c.Parallel + c.Queue, MaxConns: maxConns(c), Hosts: knownAs(c, listeners), Logger: logger, Traced: t.traced(),
		Doctor: func(ctx context.Context) (any, error) {
			return doctor.Run(ctx, doctor.Options{CgroupPath: c.Cgroup, Inside: inside, Roots: e.roots(), Languages: e.toolchains()})
		}}
	if e.runner != nil { // an interface that holds none would not be nil
		settings.Runner = e.runner
		if e.images != nil {
			settings.Images = imageroots.Store{Images: e.images}
		}
	} else {
		settings.Languages = &languagesElsewhere{e.languages, e.queue}
		settings.Images = imageroots.Elsewhere{Names: e.imagesElsewhere}
	}
	switch {
	case e.shared != nil:
		settings.Files, settings.Shared = e.shared.files, e.shared.files
	case e.files != nil:
		settings.Files = e.files
	}
	if e.runner != nil {
		go e.followShares(ctx)
	}
	meter := tenants.OpenMeter(filepath.Join(c.State, tenants.UsageName), logger)
	defer meter.Close()
	e.meter.Store(meter.Meter)
	defer e.meter.Store(nil) // jobs may end elsewhere until the queue is closed
	var err error
	if settings.Tenancy, err = e.tenancy(c, meter.Meter); err != nil {
		return err
	}
	settings.Audit, settings.Settings = log, c.changed()
	if settings.AuditSource, err = c.auditSource(); err != nil {
		return err
	}
	if settings.Jobs, err = e.jobs(c, logger); err != nil {
		return err
	}
	if settings.Page, err = pageOf(c, logger); err != nil {
		return err
	}
	var closeSnippets func() error
	if settings.Snippets, closeSnippets, err = openSnippets(ctx, c, logger); err != nil {
		return err
	}
	defer func() { _ = closeSnippets() }() // what is not closed is looked through at the next start
	server, err := httpapi.New(settings)   // which takes the files into use that queued jobs name
	if err != nil {
		return err
	}
	if e.files != nil {
		go sweepFiles(ctx, e.files)
	}
	if e.shared != nil && c.Role != roleWorker {
		go e.shared.sweep(ctx)
	}
	drain, err := c.drain()
	if err != nil {
		return err
	}
	var hooks *httpapi.Hooks
	if settings.Jobs != nil {
		hooks = settings.Jobs.Hooks
	}
	defer reload(ctx, c, log, hooks, logger)()
	ready(server)
	return server.Serve(ctx, drain, listeners...)
}

// knownAs are the names of the service that its connections do not tell by
// themselves: those of --allow-host, and a name in --listen.
func knownAs(c *config, listeners []net.Listener) []string {
	out := c.hostNames()
	name, _, err := net.SplitHostPort(c.Listen)
	if err != nil || name == "" || net.ParseIP(name) != nil {
		return out
	}
	for _, l := range listeners {
		if at, ok := l.Addr().(*net.TCPAddr); ok {
			out = append(out, net.JoinHostPort(name, strconv.Itoa(at.Port)))
		}
	}
	return out
}

// maxConns leaves room for those who wait, and descriptors for the cells.
func maxConns(c *config) int {
	want := 2*(c.Parallel+c.Queue) + 64
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err == nil && own.Cur/4 < uint64(want) {
		return max(int(own.Cur/4), 16)
	}
	return want
}

// ready tells everybody who waits for the service.
func ready(ctx context.Context, c *config, logger *slog.Logger, token httpapi.Token, listeners []net.Listener, hello bool, out io.Writer) {
	for _, l := range listeners {
		logger.Info("ready", "listen", address(l))
	}
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		logger.Warn("systemd could not be told that the service is ready", "error", err)
	}
	if hello {
		go greet(ctx, c, token, listeners[0], out)
	}
}

// address is how a client names a listener.
func address(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

func listen(c *config) ([]net.Listener, error) {
	var all []net.Listener
	if c.Listen != "" {
		l, err := net.Listen("tcp", c.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen: %w; choose another address with --listen", err)
		}
		all = append(all, l)
	}
	if c.Socket != "" {
		l, err := listenUnix(c.Socket)
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("socket: %w", err)
		}
		all = append(all, l)
	}
	return all, nil
}

// listenUnix replaces a socket that a dead service has left, never a living one.
func listenUnix(path string) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("%s is in use by a running service", path)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	old := unix.Umask(0o177) // no moment in which others could connect
	defer unix.Umask(old)
	return net.Listen("unix", path)
}

func closeAll(all []net.Listener) {
	for _, l := range all {
		l.Close()
	}
}
