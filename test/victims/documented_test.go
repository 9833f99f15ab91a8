package victims

import (
	"os"
	"strings"
	"testing"
)

// TestDocumented: the page with the outcomes has every row, under its own words,
// and tells of no failure.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/containment.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		want := "| " + strings.Join(append([]string{r.ID}, r.Also...), " ") + " | " + r.Title + " |"
		if !strings.Contains(string(page), want) {
			t.Errorf("docs/containment.md has no row %q; make the table again by cordon verify --markdown", want)
		}
	}
	_, table, _ := strings.Cut(string(page), "## Outcome")
	for _, word := range []string{"ESCAPED", "WRONG"} {
		if strings.Contains(table, word) {
			t.Errorf("docs/containment.md tells of a row that is %s", word)
		}
	}
}
