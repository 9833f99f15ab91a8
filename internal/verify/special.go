package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cordon/test/victims"
)

// specials are the rows that are more than one job.
var specials = map[string]func(*session, context.Context, *Outcome){
	"A-25": (*session).longInput,
	"A-33": (*session).mounts,
	"A-54": (*session).leftBehind,
	"A-55": (*session).abstractNames,
	"A-57": (*session).fileLocks,
	"A-62": (*session).climbingLayer,
	"A-63": (*session).linkedLayer,
	"A-64": (*session).bombLayer,
	"A-65": (*session).flippedLayer,
	"A-66": (*session).linkedImage,
	"A-67": (*session).daemonKilled,
	"A-68": (*session).flooded,
	"A-69": (*session).clientLeaves,
	"A-70": (*session).cancelled,
	"A-71": (*session).sameKey,
	"A-72": (*session).strangers,
	"R26":  (*session).partnerGone,
	"R39":  (*session).signals,
	"R47":  (*session).manyInARow,
	"W42":  (*session).sharedFiles,
}

// job runs a command under the corpus' limits and wants this verdict.
func (s *session) job(ctx context.Context, o *Outcome, verdict string, row victims.Row) *result {
	a, err := s.service.post(ctx, s.request(&row))
	if err != nil {
		o.problem("%v", err)
		return nil
	}
	if a.status != 200 || a.result.Verdict != verdict {
		o.problem("%s: answered %d: %.500s; want %s", strings.Join(row.Command, " "), a.status, a.body, verdict)
		return nil
	}
	o.Verdict = verdict
	always(&a.result, o)
	return &a.result
}

func victim(words ...string) []string { return append([]string{victims.Program}, words...) }

// longInput: 8 MiB arrive as they were sent.
func (s *session) longInput(ctx context.Context, o *Outcome) {
	input := make([]byte, 8<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range input {
		input[i] = "0123456789abcdef"[random.IntN(16)]
	}
	sum := sha256.Sum256(input)
	r := s.job(ctx, o, "ok", victims.Row{Command: []string{"sha256sum"}, Stdin: string(input)})
	if want := hex.EncodeToString(sum[:]); r != nil && !strings.HasPrefix(r.stdout(), want) {
		o.problem("the hash is %.64s, want %s", r.stdout(), want)
	}
}

// mounts: every mount of the cell is of a kind that belongs there.
func (s *session) mounts(ctx context.Context, o *Outcome) {
	r := s.job(ctx, o, "ok", victims.Row{Command: []string{"cat", "/proc/self/mountinfo"}})
	if r == nil {
		return
	}
	inside := strayMounts(r.stdout())
	for _, stray := range inside {
		o.escape("%s", stray)
	}
	text, err := s.outside(ctx, "user", []string{"/bin/cat", "/proc/self/mountinfo"})
	if err != nil {
		o.problem("%v", err)
		return
	}
	o.control("mounts", fmt.Sprint(len(inside)), map[string]string{"mounts": fmt.Sprint(len(strayMounts(text)))}, []string{"*"})
}

// leftBehind: what one job writes, the next does not find.
func (s *session) leftBehind(ctx context.Context, o *Outcome) {
	first := s.job(ctx, o, "ok", victims.Row{Command: victim("leave")})
	second := s.job(ctx, o, "ok", victims.Row{Command: victim("find")})
	if first == nil || second == nil {
		return
	}
	left, found := parse(first.stdout()), parse(second.stdout())
	for _, place := range []string{"/tmp/left-behind", "/dev/shm/left-behind", "/work/left-behind"} {
		if found[place] != "ENOENT" {
			o.escape("%s: %s in the second job, want ENOENT", place, found[place])
		}
		o.control(place, found[place], left, []string{"ok"})
	}
}

// pair starts one job, and another one while it runs.
func (s *session) pair(ctx context.Context, o *Outcome, policy string, stays, comes []string) (first, second map[string]string) {
	var wg sync.WaitGroup
	wg.Go(func() {
		if r := s.job(ctx, o, "ok", victims.Row{Policy: policy, Command: stays}); r != nil {
			first = parse(r.stdout())
		}
	})
	time.Sleep(time.Second)
	other := &Outcome{}
	if r := s.job(ctx, other, "ok", victims.Row{Policy: policy, Command: comes}); r != nil {
		second = parse(r.stdout())
	}
	wg.Wait()
	o.Problems = append(o.Problems, other.Problems...)
	return first, second
}

// outsidePair is the same without cells: what comes second.
func (s *session) outsidePair(ctx context.Context, o *Outcome, stays, comes []string) map[string]string {
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = s.outside(ctx, "user", stays) })
	time.Sleep(time.Second)
	text, err := s.outside(ctx, "user", comes)
	if err != nil {
		o.problem("%v", err)
	}
	wg.Wait()
	return parse(text)
}

// abstractNames: sockets without a file belong to a network namespace.
func (s *session) abstractNames(ctx context.Context, o *Outcome) {
	name := fmt.Sprintf("cordon-verify-%d", s.service.pid)
	stays, comes := victim("abstract_listen", name, "3"), victim("abstract_connect", name)
	first, second := s.pair(ctx, o, "default", stays, comes)
	if first["listen"] != "ok" {
		o.problem("the first job's listen: %q", first["listen"])
	}
	if second["connect"] != "ECONNREFUSED" {
		o.escape("connect from another job: %q, want ECONNREFUSED", second["connect"])
	}
	o.control("connect", second["connect"], s.outsidePair(ctx, o, stays, comes), []string{"ok"})
}

// strictPolicy has no file locks: see docs/threat-model.md for those that have.
const strictPolicy = `name: locked
description: The default policy behind the strict filter.
extends: default
seccomp: {profile: strict, reason: Jobs that want to may not talk to each other by locks.}
`

// fileLocks on a file that both jobs see, with a policy that has the strict filter.
func (s *session) fileLocks(ctx context.Context, o *Outcome) {
	dir := filepath.Join(s.dir, "policies")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "locked.yaml"), []byte(strictPolicy), 0o600)); err != nil {
		o.problem("%v", err)
		return
	}
	second, err := startService(ctx, s.o.Binary, filepath.Join(s.dir, "strict"), append(s.o.Serve, "--policies", dir))
	if err != nil {
		o.problem("%v", err)
		return
	}
	other := *s
	other.service = second
	stays, comes := victim("lock", "/usr/bin/env", "3"), victim("lock", "/usr/bin/env")
	first, later := other.pair(ctx, o, "locked", stays, comes)
	if err := second.stop(); err != nil {
		o.problem("%v", err)
	}
	outside := s.outsidePair(ctx, o, stays, comes)
	for _, kind := range []string{"flock", "record", "open_file"} {
		switch {
		case first[kind] == "" || later[kind] == "":
			o.problem("%s: the first job says %q, the second one %q; want the name of an error", kind, first[kind], later[kind])
		case first[kind] != later[kind]:
			o.escape("%s: the first job's is %q, the second one's %q; one learns of the other", kind, first[kind], later[kind])
		}
		o.control(kind, later[kind], outside, []string{"EAGAIN"})
	}
}

// strangers: requests that are not the owner's run nothing.
func (s *session) strangers(ctx context.Context, o *Outcome) {
	body := []byte(`{"command": ["true"]}`)
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	for _, c := range []struct {
		name   string
		set    func(*http.Request)
		status int
	}{
		{"no token", func(*http.Request) {}, http.StatusUnauthorized},
		{"a wrong token", bearer("wrong"), http.StatusUnauthorized},
		{"a foreign Host", func(r *http.Request) { bearer(s.service.token)(r); r.Host = "evil.example:80" }, http.StatusMisdirectedRequest},
		{"a foreign Origin", func(r *http.Request) {
			bearer(s.service.token)(r)
			r.Header.Set("Origin", "http://evil.example")
		}, http.StatusForbidden},
		{"a form", func(r *http.Request) {
			bearer(s.service.token)(r)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}, http.StatusUnsupportedMediaType},
	} {
		a, err := s.service.send(ctx, body, c.set)
		if err != nil {
			o.problem("%s: %v", c.name, err)
			continue
		}
		if a.status != c.status {
			o.escape("%s: answered %d, want %d", c.name, a.status, c.status)
		}
	}
	a, err := s.service.send(ctx, body, bearer(s.service.token)) // the control
	if err != nil || a.status != http.StatusOK {
		o.problem("the owner: %v, %v", a, err)
	}
}
