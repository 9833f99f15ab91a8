package languages

import "testing"

// TestElsewhere: where programs run on other machines every language is taken, with what
// its file says.
func TestElsewhere(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Plan("rust"); err == nil {
		t.Fatal("a machine that was not searched has rust")
	}
	s.Elsewhere()
	for _, l := range s.List() {
		if l.Status != StatusOK || l.Missing != "" {
			t.Errorf("%s: %+v", l.ID, l)
		}
		if p, err := s.Plan(l.ID); err != nil || p.ID != l.ID || len(p.Run) == 0 || p.SourceFile == "" {
			t.Errorf("%s: %+v, %v", l.ID, p, err)
		}
	}
	if _, err := s.Plan("klingon"); err == nil {
		t.Error("an unknown language is known")
	}
}
