package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"cordon/internal/testkit"
)

// alert is one of rules.yml.
type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []alert
		}
	}
	if err := yaml.UnmarshalWithOptions([]byte(read(t, "prometheus/rules.yml")), &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	var out []alert
	for _, g := range file.Groups {
		out = append(out, g.Rules...)
	}
	if len(out) < 10 {
		t.Fatalf("%d alerts were read", len(out))
	}
	return out
}

// promtool runs Prometheus' own tool, which reads and evaluates as Prometheus does.
func promtool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	tool := filepath.Join(testkit.Root(t), "bin", "promtool")
	if _, err := os.Stat(tool); err != nil {
		t.Fatalf("promtool: %v; \"test/deps test\" brings it", err)
	}
	out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
	return string(out), err
}

// object is JSON, which is YAML, too.
type object map[string]any

// tested has promtool try expressions over series; the error is what it says.
func tested(t *testing.T, rules []string, tests []object) (string, error) {
	t.Helper()
	text, err := json.Marshal(object{"rule_files": rules, "evaluation_interval": "1m", "tests": tests})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "tests.yml")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return promtool(t, "test", "rules", name)
}

// one is a test of an expression that has to give a single number.
func one(expr, at string, value float64) object {
	return object{"expr": expr, "eval_time": at, "exp_samples": []object{{"labels": "{}", "value": value}}}
}

func TestPrometheusReadsItsFiles(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "prometheus/rules.yml"}, {"check", "config", "--syntax-only", "prometheus/prometheus.yml"}} {
		if out, err := promtool(t, args...); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	broken := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(broken, []byte(strings.Replace(read(t, "prometheus/rules.yml"), "increase(", "increased(", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := promtool(t, "check", "rules", broken); err == nil || !strings.Contains(out, "increased") {
		t.Errorf("a mistake was not found: %v\n%s", err, out)
	}
	// Not every build of promtool knows Kubernetes: only that it is YAML in its place.
	commented := regexp.MustCompile(`(?m)^#(    .*)$`)
	var config struct {
		ScrapeConfigs []struct {
			Discovery []struct{ Role string } `yaml:"kubernetes_sd_configs"`
			Relabel   []struct {
				From []string `yaml:"source_labels"`
			} `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(commented.ReplaceAllString(read(t, "prometheus/prometheus.yml"), "$1")), &config); err != nil {
		t.Fatal(err)
	}
	if c := config.ScrapeConfigs; len(c) != 1 || len(c[0].Discovery) != 1 || c[0].Discovery[0].Role != "pod" || len(c[0].Relabel) != 3 {
		t.Errorf("%+v", c)
	}
}

// TestRunbooks: each alert says how bad it is and what to do.
func TestRunbooks(t *testing.T) {
	for _, a := range alerts(t) {
		if s := a.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %q", a.Alert, s)
		}
		if a.Annotations["summary"] == "" || len(a.Annotations["runbook"]) < 40 || strings.Contains(a.Annotations["runbook"], "\n") {
			t.Errorf("%s: %q", a.Alert, a.Annotations)
		}
	}
}

// fires are, for each alert, series with which it fires after half an hour, and with which
// it does not. One value a minute; "+" adds, "x" repeats.
var fires = map[string][2]map[string]string{
	"CordonDown":               {{`up`: "0x60"}, {`up`: "1x60"}},
	"CordonLeaks":              {{`cordon_leaks_total`: "0x20 1x40"}, {`cordon_leaks_total`: "3x60"}},
	"CordonInternalErrors":     {{`cordon_refused_total code="internal_error"`: "0x25 1x40"}, {`cordon_refused_total code="internal_error"`: "1x60", `cordon_refused_total code="queue_full"`: "0+9x60"}},
	"CordonServerErrors":       {{`cordon_http_requests_total status="5xx"`: "0+10x60", `cordon_http_requests_total status="2xx"`: "0+90x60"}, {`cordon_http_requests_total status="5xx"`: "0+1x60", `cordon_http_requests_total status="2xx"`: "0+99x60"}},
	"CordonFull":               {{`cordon_refused_total code="queue_full"`: "0+5x60"}, {`cordon_refused_total code="queue_full"`: "0x27 50x30"}},
	"CordonDiskFull":           {{`cordon_refused_total code="store_full"`: "0x25 1x40"}, {`cordon_refused_total code="disk_full"`: "1x60"}},
	"CordonQueueUnavailable":   {{`cordon_refused_total code="queue_unavailable"`: "0x28 1x40"}, {`cordon_refused_total code="queue_unavailable"`: "0x10 1x40"}},
	"CordonQueueStuck":         {{`cordon_queue_jobs state="queued"`: "5x60", `cordon_jobs_running`: "0x60"}, {`cordon_queue_jobs state="queued"`: "5x60", `cordon_jobs_running`: "0x25 2x60"}},
	"CordonQueueGrows":         {{`cordon_queue_jobs state="queued"`: "2000+1000x90"}, {`cordon_queue_jobs state="queued"`: "0+10x90"}},
	"CordonInterrupted":        {{`cordon_queue_jobs state="interrupted"`: "0x25 3x60"}, {`cordon_queue_jobs state="interrupted"`: "3x60"}},
	"CordonSlowStart":          {setup("0+0x60", "0+10x60"), setup("0+10x60", "0+10x60")},
	"CordonLongWait":           {waited("0+0x60", "0+10x60"), waited("0+10x60", "0+10x60")},
	"CordonFewIds":             {{`cordon_free_id_ranges`: "3x60"}, {`cordon_free_id_ranges`: "32000x60"}},
	"CordonFewFiles":           {{`process_open_fds`: "900x60", `process_max_fds`: "1024x60"}, {`process_open_fds`: "90x60", `process_max_fds`: "1024x60"}},
	"CordonConnectionsDropped": {{`cordon_connections_dropped_total`: "0+50x60"}, {`cordon_connections_dropped_total`: "0+1x60"}},
}

// setup are jobs that began within a quarter of a second, and all jobs.
func setup(fast, all string) map[string]string { return buckets("setup", "0.128", fast, all) }

// waited are jobs that waited for less than five seconds, and all jobs.
func waited(fast, all string) map[string]string { return buckets("queued", "4.096", fast, all) }

func buckets(stage, le, below, all string) map[string]string {
	name := `cordon_stage_seconds_bucket stage="` + stage + `",le="`
	return map[string]string{name + le + `"`: below, name + `8.192"`: all, name + `+Inf"`: all}
}

// series are input of promtool, as one service that is scraped would give them.
func series(of map[string]string) (out []object) {
	for name, values := range of {
		name, labels, found := strings.Cut(name, " ")
		if found {
			labels = "," + labels
		}
		out = append(out, object{"series": name + `{job="cordon",instance="one"` + labels + `}`, "values": values})
	}
	return out
}

// TestAlertsFire when they should, and only then.
func TestAlertsFire(t *testing.T) {
	rules, err := filepath.Abs("prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var tests, wrong []object
	all := alerts(t)
	for _, a := range all {
		cases, known := fires[a.Alert]
		if !known {
			t.Errorf("%s: nothing says when it fires", a.Alert)
		}
		firing := `(count(ALERTS{alertstate="firing",alertname="` + a.Alert + `"}) or vector(0))`
		for i, want := range []float64{1, 0} {
			at := "30m"
			if a.Alert == "CordonQueueGrows" { // half an hour after it is known how it grows
				at = "80m"
			}
			one := func(value float64) object {
				return object{"interval": "1m", "input_series": series(cases[i]), "promql_expr_test": []object{one(firing, at, value)}}
			}
			tests, wrong = append(tests, one(want)), append(wrong, one(1-want))
		}
	}
	if len(all) != len(fires) {
		t.Errorf("%d alerts, and %d say when they fire", len(all), len(fires))
	}
	if out, err := tested(t, []string{rules}, tests); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := tested(t, []string{rules}, wrong); err == nil || strings.Count(out, "expr:") != len(wrong) {
		t.Errorf("with every expectation turned round: %v\n%s", err, out)
	}
}
