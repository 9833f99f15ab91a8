package rooms

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cordon/test/victims"
)

// threatRow is one row of docs/threat-model.md.
type threatRow struct{ id, known, rule, held string }

// threatIDs are the kinds of faults that the page must have, in order.
func threatIDs() (ids []string) {
	for _, r := range [][2]int{{1, 16}, {20, 37}, {40, 75}} {
		for n := r[0]; n <= r[1]; n++ {
			ids = append(ids, fmt.Sprintf("W%02d", n))
		}
	}
	return ids
}

var (
	testName   = regexp.MustCompile("`((?:Test|Fuzz)[\\w/-]+)`")
	testsIn    = regexp.MustCompile("((?:`(?:Test|Fuzz)[\\w/-]+`(?:, )?)+) \\(([\\w/.-]+_test\\.go)\\)")
	corpusName = regexp.MustCompile(`\b(A-\d\d|R\d\d)\b`)
)

// TestThreatModel: docs/threat-model.md has every kind of fault once, and what it
// names as proof is there.
func TestThreatModel(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top(t), "docs/threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	runs := corpusRuns(t)
	for _, problem := range checkThreats(t, string(text), runs) {
		t.Errorf("docs/threat-model.md: %s", problem)
	}
	// A page with a fault is told of: a test or row that goes must not go unseen.
	for name, change := range map[string][2]string{
		"a renamed test": {"`TestCollectSparse`", "`TestCollectSparseFiles`"}, "a renamed part of a test": {"`TestLive/attempts`", "`TestLive/attempted`"},
		"a test elsewhere": {"(sandbox/guards_test.go)", "(sandbox/spec_test.go)"}, "a missing file": {"(policy/property_test.go)", "(policy/properties_test.go)"},
		"a test without a file": {"`TestRlimits` (sandbox/spec_test.go)", "`TestRlimits`"}, "no such row of the corpus": {"A-56", "A-99"},
		"a missing row": {"| W47 |", "| W 47 |"}, "a row twice": {"| W47 |", "| W46 |"},
		"no proof": {"A-49; `TestFamilies` (seccomp/arguments_test.go) |\n| W57", "nothing |\n| W57"}, "an empty cell": {"| AF_VSOCK |", "| |"},
	} {
		changed := strings.Replace(string(text), change[0], change[1], 1)
		if changed == string(text) || len(checkThreats(t, changed, runs)) == 0 {
			t.Errorf("%s is not seen", name)
		}
	}
	runs["A-56"] = false
	if len(checkThreats(t, string(text), runs)) == 0 {
		t.Error("a row of the corpus that does not run is not seen")
	}
}

func threatRows(text string) (rows []threatRow) {
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 6 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "W") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, threatRow{cells[1], cells[2], cells[3], strings.Join(cells[4:len(cells)-1], "|")})
	}
	return rows
}

// corpusRuns are the rows of the corpus that do not wait for a part of Cordon.
func corpusRuns(t *testing.T) map[string]bool {
	t.Helper()
	corpus, err := victims.Load()
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]bool{}
	for _, r := range corpus {
		for _, id := range append([]string{r.ID}, r.Also...) {
			runs[id] = runs[id] || r.Missing == ""
		}
	}
	return runs
}

// checkThreats says what is wrong with the page.
func checkThreats(t *testing.T, text string, runs map[string]bool) (problems []string) {
	t.Helper()
	rows := threatRows(text)
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.id)
		for _, p := range r.problems(t, runs) {
			problems = append(problems, r.id+": "+p)
		}
	}
	if want := threatIDs(); !slices.Equal(ids, want) {
		problems = append(problems, fmt.Sprintf("its rows are %v, want %v", ids, want))
	}
	if all := len(testName.FindAllString(text, -1)); all != len(testName.FindAllString(fmt.Sprint(rows), -1)) {
		problems = append(problems, "a test is named outside of the rows, where nobody looks for it")
	}
	return problems
}

// problems: every test that the row names is in the file that it names, every row of
// the corpus runs, and where there is neither the row says why.
func (r threatRow) problems(t *testing.T, runs map[string]bool) (out []string) {
	if r.known == "" || len(r.rule) < 10 || r.held == "" {
		out = append(out, "a cell is empty")
	}
	proofs := 0
	for _, group := range testsIn.FindAllStringSubmatch(r.held, -1) {
		for _, name := range testName.FindAllStringSubmatch(group[1], -1) {
			proofs++
			if err := hasTest(t, group[2], name[1]); err != nil {
				out = append(out, err.Error())
			}
		}
	}
	if named := len(testName.FindAllString(r.rule+r.held, -1)); named != proofs {
		out = append(out, fmt.Sprintf("%d tests are named, %d with a file", named, proofs))
	}
	for _, m := range corpusName.FindAllString(r.held, -1) {
		if proofs++; !runs[m] {
			out = append(out, m+" is no row of the corpus that runs")
		}
	}
	if proofs == 0 && !strings.Contains(r.rule+r.held, "Cannot arise: ") && !strings.Contains(r.rule+r.held, "Not held: ") {
		out = append(out, "no test, no row of the corpus, and no reason")
	}
	return out
}

// hasTest: the file has the function, and the tests of its folder the name of the
// part behind a slash.
func hasTest(t *testing.T, file, name string) error {
	t.Helper()
	function, parts, _ := strings.Cut(name, "/")
	funcs, _, err := testsOf(filepath.Join(top(t), file))
	if err != nil {
		return err
	}
	if !funcs[function] {
		return fmt.Errorf("%s has no %s", file, function)
	}
	if parts == "" {
		return nil
	}
	all, err := filepath.Glob(filepath.Join(top(t), filepath.Dir(file), "*_test.go"))
	if err != nil {
		return err
	}
	for _, part := range strings.Split(parts, "/") {
		if !slices.ContainsFunc(all, func(f string) bool { _, texts, err := testsOf(f); return err == nil && texts[part] }) {
			return fmt.Errorf("no test in %s has a part %q", filepath.Dir(file), part)
		}
	}
	return nil
}

type testFile struct{ funcs, texts map[string]bool }

var testFiles = map[string]testFile{}

// testsOf are the names of a file's functions and all texts in it.
func testsOf(file string) (funcs, texts map[string]bool, err error) {
	if f, ok := testFiles[file]; ok {
		return f.funcs, f.texts, nil
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	f := testFile{map[string]bool{}, map[string]bool{}}
	for _, d := range parsed.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
			f.funcs[fn.Name.Name] = true
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				f.texts[text] = true
			}
		}
		return true
	})
	testFiles[file] = f
	return f.funcs, f.texts, nil
}
