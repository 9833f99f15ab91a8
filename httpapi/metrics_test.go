package httpapi

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"cordon/sandbox"
)

// families are the metrics of one scrape.
type families map[string]*dto.MetricFamily

func (s *service) scrape(t testing.TB) families {
	t.Helper()
	r := s.send(t, "GET", "/metrics", nil)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	m, err := parser.TextToMetricFamilies(strings.NewReader(string(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// value sums a metric over the rows that have these labels.
func (f families) value(name string, labels ...string) float64 {
	var sum float64
	if f[name] == nil {
		return -1
	}
	for _, m := range f[name].Metric {
		have := map[string]string{}
		for _, l := range m.Label {
			have[l.GetName()] = l.GetValue()
		}
		fits := true
		for i := 0; i < len(labels); i += 2 {
			fits = fits && have[labels[i]] == labels[i+1]
		}
		if fits {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// TestLabelsAreClosed: no word of a client becomes a label.
func TestLabelsAreClosed(t *testing.T) {
	s := start(t, nil)
	const word = "zzword"
	s.run(t, `{"policy":"`+word+`","command":["true"]}`)
	s.run(t, `{"`+word+`":1}`)
	s.run(t, `{"language":"`+word+`"}`)
	s.run(t, `{"command":["`+word+`"],"env":{"`+word+`":"1"}}`)
	s.send(t, "GET", "/"+word, nil)
	s.send(t, "GET", "/v1/policies?"+word, nil, "User-Agent", word, "X-"+word, word)
	s.send(t, strings.ToUpper(word), "/healthz", nil)
	r := s.send(t, "GET", "/metrics", nil)
	if strings.Contains(strings.ToLower(string(r.body)), word) {
		t.Errorf("a word of the client's is in the metrics:\n%s", r.body)
	}
	m := s.scrape(t)
	closed := map[string]map[string]bool{"code": {}, "status": {"2xx": true, "3xx": true, "4xx": true, "5xx": true}, "policy": {}, "verdict": {},
		"stage": {"queued": true, "setup": true, "run": true, "teardown": true}, "route": {"other": true, "GET /healthz": true, "GET /readyz": true, "GET /metrics": true, "GET /openapi.yaml": true}}
	for code := range statusOf {
		closed["code"][string(code)] = true
	}
	for _, p := range shippedPolicies().Names() {
		closed["policy"][p] = true
	}
	for _, v := range sandbox.Verdicts() {
		closed["verdict"][string(v)] = true
	}
	for name := range agreed(t).known {
		closed["route"][name] = true
	}
	for name, family := range m {
		if !strings.HasPrefix(name, "cordon_") {
			continue
		}
		for _, row := range family.Metric {
			for _, l := range row.Label {
				if !closed[l.GetName()][l.GetValue()] {
					t.Errorf("%s: label %s=%q is of no closed set", name, l.GetName(), l.GetValue())
				}
			}
		}
	}
	if m.value("cordon_http_requests_total", "route", "other") != 2 || m.value("cordon_refused_total", "code", "unknown_policy") != 1 {
		t.Errorf("%v %v", m["cordon_http_requests_total"], m["cordon_refused_total"])
	}
}

// TestMetrics: the numbers of the runner, names and texts as Prometheus wants them.
func TestMetrics(t *testing.T) {
	s := start(t, nil)
	s.run(t, `{"command":["true"]}`)
	m := s.scrape(t)
	for name, want := range map[string]float64{"cordon_jobs_running": 1, "cordon_warm_cells": 2, "cordon_free_id_ranges": 3, "cordon_leaks_total": 4, "cordon_jobs_inside": 0} {
		if got := m.value(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds"} {
		if m.value(name) <= 0 {
			t.Errorf("%s is %v", name, m.value(name))
		}
	}
	gathered, err := s.config.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(gathered).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// TestStatusClass covers what a handler that answers nothing gets, too.
func TestStatusClass(t *testing.T) {
	for status, want := range map[int]string{0: "2xx", 200: "2xx", 301: "3xx", 404: "4xx", 499: "4xx", 503: "5xx"} {
		if got := statusClass(status); got != want {
			t.Errorf("%d: %s", status, got)
		}
	}
	w := httptest.NewRecorder()
	rec := &recorder{ResponseWriter: w}
	if _, err := rec.Write([]byte("abc")); err != nil || rec.status != 200 || rec.bytes != 3 || rec.Unwrap() != w {
		t.Errorf("%+v, %v", rec, err)
	}
}
