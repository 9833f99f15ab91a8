package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"cordon/bench"
	"cordon/httpapi"
)

// benchProgram does nothing, so that all that is measured is ours.
const benchProgram = "/bin/true"

func newBenchCommand() *cobra.Command {
	var count, rounds int
	var asJSON bool
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure what a job costs against the bare program", Args: cobra.NoArgs,
		Long: "Starts a service of its own and sends it jobs over HTTP that run " + benchProgram + ", in turns with the same\n" +
			"program by vfork and exec. The ratios of one run compare; times of two machines, or of two days, do not.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if count < 1 || rounds < 1 {
				return fmt.Errorf("--count and --rounds: %d and %d given, both must be at least 1", count, rounds)
			}
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			if !inside {
				return enterNamespace("bench", privateName(&c), &c)
			}
			report, err := runBench(cmd.Context(), &c, count, rounds)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), report)
			}
			return printBench(cmd.OutOrStdout(), report)
		},
	}
	addFlags(cmd.Flags())
	for _, name := range []string{"listen", "socket", "go-cache", "drain"} {
		_ = cmd.Flags().MarkHidden(name)
	}
	cmd.Flags().IntVar(&count, "count", 200, "runs in a round, for each client")
	cmd.Flags().IntVar(&rounds, "rounds", 5, "rounds; the median of them is told")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func runBench(ctx context.Context, c *config, count, rounds int) (report *bench.Report, err error) {
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	e, err := newEngine(ctx, engineOptions{config: *c, instance: fmt.Sprintf("%s%d", onceBench, os.Getpid()), parallel: max(c.Parallel, 2), warm: c.Warm, logger: logger})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	token, err := httpapi.NewToken(rand.Text())
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(ctx)
	served, ready := make(chan error, 1), make(chan struct{})
	go func() {
		served <- e.serve(serving, c, logger, token, []net.Listener{listener}, func() { close(ready) })
	}()
	defer func() { stop(); err = errors.Join(err, <-served) }()
	select {
	case <-ready:
	case err := <-served:
		served <- nil
		return nil, err
	}
	job := benchJob(ctx, listener, token)
	for range 20 { // the first ones fill caches and pools
		if _, err := job(); err != nil {
			return nil, err
		}
	}
	return bench.Compare(bench.Options{Program: benchProgram, Count: count, Rounds: rounds, Job: job})
}

// benchJob posts the program as a job, over a connection that is kept, and wants
// a good end.
func benchJob(ctx context.Context, l net.Listener, token httpapi.Token) bench.Run {
	body := []byte(`{"command": ["` + benchProgram + `"]}`)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	return func() (time.Duration, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+l.Addr().String()+"/v1/run", bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", "Bearer "+token.Reveal())
		request.Header.Set("Content-Type", "application/json")
		started := time.Now()
		response, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		took := time.Since(started)
		if err != nil {
			return 0, err
		}
		var result struct{ Verdict string }
		if err := json.Unmarshal(text, &result); err != nil || result.Verdict != "ok" {
			return 0, fmt.Errorf("status %d: %.500s", response.StatusCode, text)
		}
		return took, nil
	}
}

func printBench(w io.Writer, r *bench.Report) error {
	t := newTable("what", "clients", "runs", "p50 ms", "p90 ms", "p99 ms", "per second")
	for _, s := range r.Series {
		ms := func(v float64) string { return fmt.Sprintf("%.2f", v) }
		t.AppendRow(table.Row{s.Name, s.Clients, s.Runs, ms(s.P50), ms(s.P90), ms(s.P99), fmt.Sprintf("%.0f", s.PerSec)})
	}
	fmt.Fprintf(w, "%s, medians of %d rounds in turns\n", r.Program, r.Rounds)
	if err := printTable(w, t); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "a job takes %.2f times as long as vfork+exec (one client, p50); two clients get 1/%.2f of its throughput\n",
		r.LatencyRatio, r.ThroughputRatio)
	return err
}
