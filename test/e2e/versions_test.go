package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"

	"cordon/test/programs"
)

// listed is a row of GET /v1/languages.
type listed struct {
	ID      string   `json:"id"`
	Family  string   `json:"family"`
	Default string   `json:"default"`
	Status  string   `json:"status"`
	Version string   `json:"version"`
	Missing string   `json:"missing"`
	Build   []string `json:"build"`
	Run     []string `json:"run"`
	Minimum *struct {
		Build *need `json:"build"`
		Run   *need `json:"run"`
	} `json:"minimum"`
}

type need struct {
	MemoryBytes int64 `json:"memory_bytes"`
	Pids        int64 `json:"pids"`
}

func listLanguages(t *testing.T, s *service) []listed {
	t.Helper()
	status, _, answer := s.send(t, http.MethodGet, "/v1/languages", s.token, nil)
	if status != http.StatusOK {
		t.Fatalf("GET /v1/languages: %d %s", status, answer)
	}
	var list struct {
		Languages []listed `json:"languages"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	return list.Languages
}

// severalHere are the families of which the packages of the suite bring at least
// two tools of different versions.
var severalHere = []string{"c", "cpp", "lua"}

// testVersions: each version that is installed is what it says, and a family's own
// name means its default.
func testVersions(t *testing.T, s *service) {
	known, err := programs.Versions()
	if err != nil {
		t.Fatal(err)
	}
	_, chosen, err := programs.Load()
	if err != nil {
		t.Fatal(err)
	}
	tools := map[string]map[string]bool{} // family → versions of its tools
	for _, l := range listLanguages(t, s) {
		if l.Family == "" || !slices.Contains(chosen, l.Family) {
			continue
		}
		id := l.ID
		if l.ID == l.Family {
			id = l.Default
		}
		i := slices.IndexFunc(known, func(v programs.Version) bool { return v.ID == id })
		switch {
		case l.ID == l.Family && id == "": // the host's own tool: any version
			continue
		case i < 0:
			t.Errorf("%s: say under versions in programs.yaml what its program prints", l.ID)
			continue
		case l.Status != "ok":
			t.Logf("%s: %s", l.ID, l.Missing)
			continue
		}
		if tools[l.Family] == nil {
			tools[l.Family] = map[string]bool{}
		}
		tools[l.Family][l.Version] = true
		t.Run(l.ID, func(t *testing.T) {
			parallel(t)
			r := s.run(t, object{"policy": "judge", "language": l.ID, "source": known[i].Source})
			r.want(t, "ok")
			if !regexp.MustCompile(known[i].Stdout).MatchString(r.out(t)) {
				t.Errorf("%s %s says that it is %q, want %q", l.ID, l.Version, r.out(t), known[i].Stdout)
			}
		})
	}
	for _, family := range severalHere {
		if slices.Contains(chosen, family) && len(tools[family]) < 2 {
			t.Errorf("%s: versions %v; the packages of test/deps bring two or more", family, tools[family])
		}
	}
}

// testMinimum: with one and a half times the least memory and no more than the
// least pids that are published, each language still greets.
func testMinimum(t *testing.T, s *service) {
	hello, err := programs.Hello()
	if err != nil {
		t.Fatal(err)
	}
	_, chosen, err := programs.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range listLanguages(t, s) {
		program, known := hello[l.ID]
		if l.Status != "ok" || !known || !slices.Contains(chosen, l.ID) && !slices.Contains(chosen, l.Family) {
			continue
		}
		if l.Minimum == nil || l.Minimum.Run == nil || (l.Minimum.Build == nil) != (len(l.Build) == 0) {
			t.Errorf("%s: no least limits in its data file; measure them with test/minimum", l.ID)
			continue
		}
		t.Run(l.ID, func(t *testing.T) {
			parallel(t)
			runMinimum(t, s, l, program)
		})
	}
}

func runMinimum(t *testing.T, s *service, l listed, p programs.Program) {
	job := object{"policy": "judge", "language": l.ID, "source": p.Source, "limits": l.Minimum.Run.generous()}
	if l.Minimum.Build != nil {
		job["build"] = object{"limits": l.Minimum.Build.generous()}
	}
	r := s.run(t, job)
	if r.Build != nil && r.Build.Verdict != "ok" {
		t.Fatalf("the build, with %v: %s", l.Minimum.Build.generous(), r.Build)
	}
	r.want(t, "ok")
	checkEnd(t, r.step, p.Expect)
}

func (n *need) generous() object {
	const mib = 1 << 20
	limits := object{"memory_bytes": (n.MemoryBytes*3/2 + mib - 1) / mib * mib, "pids": n.Pids, "cpu_ms": 15_000}
	if os.Getenv(slowVar) != "" {
		limits["wall_ms"] = 60_000
	}
	return limits
}

// testBelowMinimum: the least limits are advice.
func testBelowMinimum(t *testing.T, s *service) {
	list := listLanguages(t, s)
	i := slices.IndexFunc(list, func(l listed) bool { return l.ID == "python" && l.Status == "ok" })
	if i < 0 {
		t.Fatal("Python is missing")
	}
	r := s.run(t, object{"policy": "judge", "language": "python", "source": "print(1)",
		"limits": object{"memory_bytes": list[i].Minimum.Run.MemoryBytes / 2}})
	if r.Verdict == "ok" || r.Verdict == "internal_error" {
		t.Errorf("with half of the least memory: %s", r)
	}
}
