package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// outputPolicy lets a job write 1 GiB.
const outputPolicy = `name: bench-output
description: One gibibyte of output, for cordon bench.
extends: default
limits:
  output_bytes:
    default: 1073741824
    max: 1073741824
    reason: So much is measured.
`

// outputRoom is how many times the output the service may need: it holds it, and
// its answer, in memory.
const outputRoom = 6

// output: a job that writes as fast as the service reads, against the same program
// into a pipe that cat reads.
func (s *session) output(ctx context.Context) error {
	program, err := s.compiled(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		s.report.missing(noCompiler, "output_over_cat")
		return nil
	}
	if err != nil {
		return err
	}
	free, err := memory("MemAvailable")
	if err != nil {
		return err
	}
	size := min(pick(s.o.Effort, int64(64*mib), gib, gib), free/outputRoom/mib*mib)
	rounds := pick(s.o.Effort, 2, 3, 7)
	policies := filepath.Join(s.dir, "output-policies")
	if err := writePolicy(policies, "output", outputPolicy); err != nil {
		return err
	}
	service, err := s.start(ctx, "--policies", policies)
	if err != nil {
		return err
	}
	defer func() { _ = service.Stop() }() // again: an error on the way comes first
	r, err := s.job(service, map[string]any{"policy": "bench-output", "command": []string{"./work", "flood", fmt.Sprint(size)},
		"files": []any{file("work", program)}})
	if err != nil {
		return err
	}
	var over, in, out, whole []float64
	for i := range rounds + 1 {
		inside, asked, err := flooded(r)
		if err != nil {
			return err
		}
		outside, err := floodCat(ctx, filepath.Join(s.dir, "work"), size)
		if err != nil {
			return err
		}
		if i > 0 { // the first one fills caches
			over, whole = append(over, float64(inside)/float64(outside)), append(whole, milliseconds(asked))
			in, out = append(in, milliseconds(inside)), append(out, milliseconds(outside))
		}
	}
	s.report.set("output_over_cat", statOf(over), fmt.Sprintf("%d MiB; the job's time, which waits for the service to read", size/mib))
	s.amount(Output, "the job", "ms", statOf(in))
	s.amount(Output, "the same program into cat", "ms", statOf(out))
	s.amount(Output, "the whole request, with its answer", "ms", statOf(whole))
	return s.stop(service)
}

// writePolicy puts a policy file into a directory.
func writePolicy(dir, name, text string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600)
}

// flooded runs the job and reads its wall time from the end of the answer, of which
// no more is kept.
func flooded(r *request) (job, whole time.Duration, err error) {
	c, err := net.Dial("tcp", r.address)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	started := time.Now()
	if _, err := c.Write(r.text); err != nil {
		return 0, 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, 0, err
	}
	defer answer.Body.Close()
	head, tail, err := ends(answer.Body)
	if err != nil {
		return 0, 0, err
	}
	at := bytes.LastIndex(tail, []byte(`"usage":`))
	if answer.StatusCode != http.StatusOK || !bytes.Contains(head, r.good) || at < 0 {
		return 0, 0, fmt.Errorf("a job with much output: answered %s: %.600s", answer.Status, head)
	}
	var a account
	err = json.NewDecoder(bytes.NewReader(tail[at+len(`"usage":`):])).Decode(&a.Usage)
	return time.Duration(a.Usage.Wall), time.Since(started), err
}

// ends are the first and the last bytes of a stream.
func ends(from io.Reader) (head, tail []byte, err error) {
	const keep = 16 << 10
	block := make([]byte, 1<<20)
	for {
		n, err := from.Read(block)
		if room := keep - len(head); room > 0 {
			head = append(head, block[:min(n, room)]...)
		}
		tail = append(tail, block[max(0, n-keep):n]...)
		tail = tail[max(0, len(tail)-keep):]
		if err == io.EOF {
			return head, tail, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// floodCat runs the program into a pipe that cat reads, and takes its time from the
// exec to the end.
func floodCat(ctx context.Context, program string, size int64) (time.Duration, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	cat := exec.CommandContext(ctx, "cat")
	cat.Stdin = read
	err = cat.Start()
	read.Close()
	if err != nil {
		write.Close()
		return 0, err
	}
	flood := exec.CommandContext(ctx, program, "flood", fmt.Sprint(size))
	flood.Stdout = write
	err = flood.Start() // returns when the exec is done
	started := time.Now()
	if err == nil {
		err = flood.Wait()
	}
	took := time.Since(started)
	write.Close()
	return took, errors.Join(err, cat.Wait())
}
