package bench

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestReadStages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	text := `[{"point":"request","nanos":1},{"point":"taken","nanos":900001},{"point":"answered","nanos":900002}]
[{"point":"request","nanos":1000},{"point":"taken","nanos":11000},{"point":"answered","nanos":41000}]
[{"point":"request","nanos":2000},{"point":"taken","nanos":22000},{"point":"answered","nanos":21000}]
[{"point":"request","nanos":3000},{"point":"taken","nanos":33000},{"point":"answered","nanos":53000}]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readStages(path, 3) // the first job came before it was measured
	want := []Stage{{"request", "taken", 20, 30, 0.5}, {"taken", "answered", 20, 30, 0.5}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := readStages(path, 5); err == nil {
		t.Error("5 jobs of 4")
	}
	if err := os.WriteFile(path, []byte(text+"[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readStages(path, 3); err == nil {
		t.Error("half a line")
	}
}
