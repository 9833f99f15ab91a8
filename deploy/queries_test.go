package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// query is a question to Prometheus, and who asks it.
type query struct{ of, expr string }

// dashboardQueries are all of the dashboard, as Grafana would send them.
func dashboardQueries(t *testing.T) (out []query) {
	t.Helper()
	var d struct {
		Templating struct {
			List []struct{ Name, Type, Query string }
		}
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/cordon.json")), &d); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	values := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := values.FindStringSubmatch(v.Query)
		if m == nil {
			t.Fatalf("variable %s: %q", v.Name, v.Query)
		}
		out = append(out, query{"variable " + v.Name, "group by (" + m[2] + ") (" + m[1] + ")"})
	}
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			out = append(out, query{"panel " + p.Title, variables.Replace(target.Expr)})
		}
	}
	for _, q := range out {
		if strings.Contains(q.expr, "$") {
			t.Errorf("%s: a variable that is not known here: %s", q.of, q.expr)
		}
	}
	if len(out) < 40 {
		t.Fatalf("%d queries were found", len(out))
	}
	return out
}

// watched is a service as Prometheus sees it.
type watched struct {
	*testkit.Daemon
	scrapes []map[string]string // series to value
	text    string              // the last one
}

func (w *watched) ask(t *testing.T, method, path string, body any) *http.Response {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+w.Token)
	q.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// said is the answer's body; the status has to be as wanted.
func (w *watched) said(t *testing.T, method, path string, body any, status int) []byte {
	t.Helper()
	answer := w.ask(t, method, path, body)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		t.Fatalf("%s %s: %s, %v: %s", method, path, answer.Status, err, text)
	}
	return text
}

// scrape keeps one more scrape, with the labels that Prometheus adds.
func (w *watched) scrape(t *testing.T) {
	t.Helper()
	w.text = string(w.said(t, http.MethodGet, "/metrics", nil, http.StatusOK))
	now := map[string]string{`up{job="cordon",instance="one"}`: "1"}
	for line := range strings.Lines(w.text) {
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || !strings.HasPrefix(line, "cordon_") && !strings.HasPrefix(line, "process_") {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			t.Fatal(err)
		}
		name, labels, found := strings.Cut(line[:at], "{")
		if found {
			labels = "," + labels
		} else {
			labels = "}"
		}
		now[name+`{job="cordon",instance="one"`+labels] = strconv.FormatFloat(value, 'f', -1, 64)
	}
	w.scrapes = append(w.scrapes, now)
}

// series are the scrapes, a minute apart.
func (w *watched) series() (out []object) {
	names := map[string]bool{}
	for _, s := range w.scrapes {
		for name := range s {
			names[name] = true
		}
	}
	for name := range names {
		var values []string
		for _, s := range w.scrapes {
			value := s[name]
			if value == "" {
				value = "_" // was not there yet
			}
			values = append(values, value)
		}
		out = append(out, object{"series": name, "values": strings.Join(values, " ")})
	}
	return out
}

// work has the service do something of everything that it counts.
func (w *watched) work(t *testing.T) {
	t.Helper()
	run := func(job object, status int) { w.said(t, http.MethodPost, "/v1/run", job, status) }
	run(object{"command": []string{"true"}}, http.StatusOK)
	run(object{"command": []string{"false"}}, http.StatusOK)
	run(object{"command": []string{"cat"}, "tests": []object{{"stdin": "a", "expect": "a"}, {"stdin": "a", "expect": "b"}}}, http.StatusOK)
	run(object{"command": []string{"true"}, "policy": "nobody"}, http.StatusUnprocessableEntity)
	w.await(t, w.submit(t, object{"command": []string{"true"}}), "done")
	w.await(t, w.submit(t, object{"command": []string{"true"}, "priority": "high"}), "done")
}

func (w *watched) submit(t *testing.T, job object) (path string) {
	t.Helper()
	var status struct{ ID string }
	if err := json.Unmarshal(w.said(t, http.MethodPost, "/v1/jobs", job, http.StatusAccepted), &status); err != nil {
		t.Fatal(err)
	}
	return "/v1/jobs/" + status.ID
}

func (w *watched) await(t *testing.T, path, state string) {
	t.Helper()
	w.until(t, path+" is "+state, func() bool {
		var status struct{ State string }
		return json.Unmarshal(w.said(t, http.MethodGet, path, nil, http.StatusOK), &status) == nil && status.State == state
	})
}

// until waits for something; two minutes are a hang.
func (w *watched) until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for began := time.Now(); !reached(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("not in two minutes: %s", what)
		}
	}
}

// leave follows a job and goes away before its end.
func (w *watched) leave(t *testing.T) {
	t.Helper()
	job := w.submit(t, object{"command": []string{"sleep", "60"}, "limits": object{"wall_ms": 120_000}})
	w.await(t, job, "running")
	w.ask(t, http.MethodGet, job+"/events", nil).Body.Close()
	w.until(t, "a reader that left is counted", func() bool {
		w.scrape(t)
		w.scrapes = w.scrapes[:len(w.scrapes)-1]
		return strings.Contains(w.text, "\ncordon_event_readers_dropped_total{")
	})
	w.said(t, http.MethodDelete, job, nil, http.StatusOK)
}

// TestQueriesOfALiveService: every query of the dashboard finds something in what a
// service tells that has done a little of everything; every metric of an alert is there,
// and a service that is well alarms nobody.
func TestQueriesOfALiveService(t *testing.T) {
	w := &watched{Daemon: testkit.StartDaemon(t, "--languages", "sh")}
	w.work(t)
	w.leave(t)
	for range 3 {
		w.scrape(t)
		w.work(t)
	}
	all := dashboardQueries(t)
	var tests []object
	for _, q := range all {
		tests = append(tests, one(fmt.Sprintf("count((%s) >= -Inf) > bool 0", q.expr), "2m", 1)) // NaN is nothing
		w.known(t, q)
	}
	for _, a := range alerts(t) {
		w.known(t, query{a.Alert, a.Expr})
		if a.Alert != "CordonSlowStart" && a.Alert != "CordonLongWait" { // a busy machine may be
			tests = append(tests, one("count("+a.Expr+") or vector(0)", "2m", 0))
		}
	}
	over := func(tests ...object) []object {
		return []object{{"interval": "1m", "input_series": w.series(), "promql_expr_test": tests}}
	}
	if out, err := tested(t, nil, over(tests...)); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	nothing := one(`count((sum by (x) (rate(cordon_no_such_total{job="cordon"}[5m]))) >= -Inf) > bool 0`, "2m", 1)
	if out, err := tested(t, nil, over(nothing)); err == nil {
		t.Errorf("a query that finds nothing passes:\n%s", out)
	}
}

var (
	metricName = regexp.MustCompile(`\b(cordon|process)_[a-z_]+`)
	matcher    = regexp.MustCompile(`(\w+)=~?"([^"]*)"`)
)

// known: a query names metrics and values of labels that there are.
func (w *watched) known(t *testing.T, q query) {
	t.Helper()
	for _, name := range metricName.FindAllString(q.expr, -1) {
		if !strings.Contains(w.text, "\n"+name+" ") && !strings.Contains(w.text, "\n"+name+"{") {
			t.Errorf("%s: the service has no metric %s", q.of, name)
		}
	}
	for _, m := range matcher.FindAllStringSubmatch(q.expr, -1) {
		for _, value := range strings.Split(m[2], "|") {
			there := strings.Contains(w.text, m[1]+`="`+value+`"`)
			switch m[1] {
			case "job", "instance": // Prometheus' own
				there = true
			case "code":
				there = strings.Contains(read(t, "../docs/api.md"), "`"+value+"`")
			case "status":
				there = there || value == "5xx"
			}
			if !there {
				t.Errorf("%s: nothing has %s=%q", q.of, m[1], value)
			}
		}
	}
}
