package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cordon/httpapi"
)

// helloJob is the first job: small, and its output shows where it ran.
var helloJob = httpapi.RunRequest{
	Policy:  "default",
	Command: []string{"sh", "-c", `echo "hello from a cell: uid $(id -u), $(ls /proc | grep -c '^[0-9]') processes, $(grep -c : /proc/net/dev) network device"`},
}

// greet runs the first job through the service's own front door and prints a
// short account of it.
func greet(ctx context.Context, c *config, token httpapi.Token, l net.Listener, out io.Writer) {
	result, err := post(ctx, token, l, &helloJob)
	if err != nil {
		fmt.Fprintf(out, "cordon: the first job failed: %v\n", err)
		return
	}
	u := result.Usage
	ms := func(ns int64) string { return fmt.Sprintf("%.1f ms", float64(ns)/float64(time.Millisecond)) }
	fmt.Fprintf(out, "\nCordon answers on %s. Its first job:\n\n", address(l))
	fmt.Fprintf(out, "  program      %s\n", strings.Join(helloJob.Command[:2], " ")+" …")
	fmt.Fprintf(out, "  verdict      %s\n", result.Verdict)
	fmt.Fprintf(out, "  stdout       %s\n", strings.TrimSpace(result.Stdout))
	fmt.Fprintf(out, "  used         CPU %s, peak memory %s, %d processes at once, wall %s\n",
		ms(u.CPUNanos), size(u.MemoryPeakBytes), u.PidsPeak, ms(u.WallNanos))
	fmt.Fprintf(out, "  set-up       %s, teardown %s\n", ms(result.Timings.SetupNanos), ms(result.Timings.TeardownNanos))
	for _, name := range []string{"memory_bytes", "pids", "cpu_ms"} {
		limit := result.Limits[name]
		fmt.Fprintf(out, "  %-12s %.0f, held by %s\n", name, limit.Value, limit.EnforcedBy)
	}
	fmt.Fprintf(out, "\nThe token is in %s/%s (cordon token prints it). Try:\n\n", c.State, httpapi.TokenFile)
	fmt.Fprintf(out, "  curl -s -H \"Authorization: Bearer $(cat %s/%s)\" %s/v1/run \\\n    -H 'Content-Type: application/json' -d '{\"language\": \"python\", \"source\": \"print(6*7)\"}'\n\n",
		c.State, httpapi.TokenFile, callable(l))
}

// callable is the address of a listener as a client on this machine may name it:
// all addresses at once is none.
func callable(l net.Listener) string {
	if at, ok := l.Addr().(*net.TCPAddr); ok && at.IP.IsUnspecified() {
		return "http://localhost:" + strconv.Itoa(at.Port)
	}
	return address(l)
}

// post sends one job to a listener of ours.
func post(ctx context.Context, token httpapi.Token, l net.Listener, job *httpapi.RunRequest) (*httpapi.RunResult, error) {
	body, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, l.Addr().Network(), l.Addr().String())
	}}}
	defer client.CloseIdleConnections()
	host := "cordon"
	if at, ok := l.Addr().(*net.TCPAddr); ok { // the service answers to its own names only
		host = net.JoinHostPort("localhost", strconv.Itoa(at.Port))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+"/v1/run", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token.Reveal())
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return nil, fmt.Errorf("status %d: %s", response.StatusCode, strings.TrimSpace(string(text)))
	}
	var result httpapi.RunResult
	return &result, json.NewDecoder(response.Body).Decode(&result)
}
