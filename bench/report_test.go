package bench

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cordon/internal/processes"
)

func TestFiguresAreSound(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range figures() {
		if f.ID == "" || f.Title == "" || seen[f.ID] || !slices.Contains(Groups, f.Group) {
			t.Errorf("%+v", f)
		}
		seen[f.ID] = true
		if f.AtLeast != (f.Aim > f.Bar) && f.Aim != f.Bar {
			t.Errorf("%s: the aim %v is easier than the bar %v", f.ID, f.Aim, f.Bar)
		}
	}
	for _, g := range Groups {
		if parts[g] == nil {
			t.Errorf("the group %s measures nothing", g)
		}
	}
}

func TestHeld(t *testing.T) {
	for _, c := range []struct {
		f     Figure
		value float64
		want  string
	}{
		{Figure{Bar: 3, Aim: 2}, 1.9, HeldAim},
		{Figure{Bar: 3, Aim: 2}, 2.004, HeldAim},
		{Figure{Bar: 3, Aim: 2}, 2.006, HeldBar},
		{Figure{Bar: 3, Aim: 2}, 3.01, HeldNot},
		{Figure{Bar: 1.6, Aim: 2.5, AtLeast: true}, 2.5, HeldAim},
		{Figure{Bar: 1.6, Aim: 2.5, AtLeast: true}, 1.7, HeldBar},
		{Figure{Bar: 1.6, Aim: 2.5, AtLeast: true}, 1.5, HeldNot},
	} {
		if got := c.f.Held(); got != NoValue {
			t.Errorf("without a value: %s", got)
		}
		c.f.Value = &Stat{Median: c.value}
		if got := c.f.Held(); got != c.want {
			t.Errorf("%v of %+v: %s, want %s", c.value, c.f, got, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	r := &Report{Version: reportVersion, Figures: figures()}
	r.set("work_cpu", Stat{1, 1, 1}, "a note")
	r.missing("no", "work_cpu", "work_gcc")
	r.missingGroup("left out", Work)
	if f := r.Figure("work_cpu"); f.Missing != "" || f.Held() != HeldAim || f.Note != "a note" {
		t.Errorf("%+v", f)
	}
	if gcc, python := r.Figure("work_gcc"), r.Figure("work_python"); gcc.Missing != "no" || python.Missing != "left out" {
		t.Errorf("%+v %+v", gcc, python)
	}
	if r.Figure("unknown") != nil || !r.Good() {
		t.Error("an unknown figure is there, or the report is not good")
	}
	r.set("work_gcc", Stat{Median: 9}, "")
	if r.Good() {
		t.Error("good, with a bar that is not held")
	}
	name := filepath.Join(t.TempDir(), "report.json")
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := ReadReport(name)
	if err != nil || *other.Figure("work_cpu").Value != (Stat{1, 1, 1}) || other.Figure("work_stat").Value != nil {
		t.Fatalf("%+v, %v", other, err)
	}
	other.set("work_cpu", Stat{Median: 4}, "")
	for _, d := range r.Compare(other) {
		if d.Figure.ID == "work_cpu" && d.Quotient != 0.25 || d.Figure.ID == "work_stat" && !math.IsNaN(d.Quotient) {
			t.Errorf("%s: %v", d.Figure.ID, d.Quotient)
		}
	}
	for content, want := range map[string]string{"{}": "version 0", "x": "not a report", `{"version": 99, "figures": [{}]}`: "version 99"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadReport(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

func TestPlot(t *testing.T) {
	point := func(x, y float64) Point { return Point{x, Stat{y, y * 0.9, y * 1.2}} }
	r := Report{Curves: []Curve{
		{ID: "a", Title: "A & b", X: "x", Y: "y", Points: []Point{point(1, 2), point(10, 2.5), point(500, 3)}},
		{ID: "decades", Title: "Decades", Points: []Point{point(1024, 2), point(16<<20, 200)}},
		{ID: "plain", Title: "Plain", Linear: true, Points: []Point{point(0, 25), point(20_000, 27)}},
		{ID: "single", Title: "One", Points: []Point{point(7, 7)}},
	}}
	dir := filepath.Join(t.TempDir(), "plots")
	if err := r.Plot(dir); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Curves {
		file, err := os.Open(filepath.Join(dir, c.ID+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		dots, ticks := drawn(t, file)
		file.Close()
		if dots != len(c.Points) || ticks < 4 {
			t.Errorf("%s: %d points of %d, %d texts", c.ID, dots, len(c.Points), ticks)
		}
	}
}

// drawn reads a picture, which must be XML with every point inside the axes.
func drawn(t *testing.T, from io.Reader) (dots, texts int) {
	t.Helper()
	d := xml.NewDecoder(from)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return dots, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "text":
			texts++
		case "circle":
			dots++
			for _, a := range start.Attr {
				v, _ := strconv.ParseFloat(a.Value, 64)
				if a.Name.Local == "cx" && (v < plotLeft || v > plotWidth-plotRight) || a.Name.Local == "cy" && (v < plotTop || v > plotHeight-plotBottom) {
					t.Errorf("a point at %s=%v", a.Name.Local, v)
				}
			}
		}
	}
}

func TestSteepestPart(t *testing.T) {
	s := &session{report: &Report{Figures: figures()}}
	at := func(x, y float64) Point { return Point{x, Stat{Median: y}} }
	s.curve("scale_output", Curve{Points: []Point{at(1, 1), at(10, 1), at(100, 100)}})
	if got := s.report.Figure("scale_output"); math.Abs(got.Value.Median-2) > 1e-9 || got.Held() != HeldNot {
		t.Errorf("%+v", got.Value)
	}
}

func TestPeers(t *testing.T) {
	p, err := ParsePeer("go-judge=http://127.0.0.1:5050", "token")
	if err != nil || p != (Peer{goJudge, "http://127.0.0.1:5050", "token"}) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, kind := range []string{goJudge, cordon} {
		r, err := Peer{kind, "http://127.0.0.1:5050", ""}.request("/bin/true")
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := strings.Cut(string(r.text), "\r\n\r\n")
		if !json.Valid([]byte(body)) || !strings.Contains(body, "/bin/true") || len(r.good) == 0 {
			t.Errorf("%s: %s", kind, body)
		}
	}
	for _, bad := range []string{"", "go-judge", "piston=http://127.0.0.1:1", "go-judge=127.0.0.1:5050", "cordon=https://x:1"} {
		if _, err := ParsePeer(bad, ""); err == nil || !strings.Contains(err.Error(), "--peer") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestProcesses(t *testing.T) {
	all, err := family(os.Getpid())
	if err != nil || len(all) == 0 || all[0].Pid != os.Getpid() || all[0].Parent != os.Getppid() {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, err := daemon(all); err == nil {
		t.Error("this test has a daemon")
	}
	made := []processes.Process{{Pid: 1}, {Pid: 2, Parent: 1, Name: "cordon"}, {Pid: 3, Parent: 2, Name: "cordon-cell"},
		{Pid: 4, Parent: 3, Inner: []string{"4", "1"}}, {Pid: 5, Parent: 4, Inner: []string{"5", "2"}}}
	if pid, err := daemon(made); err != nil || pid != 2 {
		t.Errorf("the daemon is %d, %v", pid, err)
	}
	if got := warmCells(made); !slices.Equal(got, []int{4}) {
		t.Errorf("the warm cells are %v", got)
	}
	if n, err := resident(os.Getpid()); err != nil || n < mib {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n, err := proportional(os.Getpid()); err != nil || n < kib {
		t.Errorf("%d bytes, %v", n, err)
	}
	if v, err := gauge([]byte("a 1\ncordon_jobs_running 12\n"), "cordon_jobs_running"); err != nil || v != 12 {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := gauge([]byte("a 1\n"), "b"); err == nil {
		t.Error("a metric that is not there is read")
	}
}
