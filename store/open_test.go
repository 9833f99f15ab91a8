package store

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestReopen: the files of before are there, in the order in which they were used.
func TestReopen(t *testing.T) {
	c := Config{Dir: filepath.Join(t.TempDir(), "deep", "files"), MaxBytes: 100, MaxFiles: 4, MaxFileBytes: 100}
	first := open(t, c)
	if info, err := os.Stat(c.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	sums := first.puts(t, "a", "b", "c", "d")
	first.get(t, sums[0]).Close()
	used, err := first.Stat(sums[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, c)
	if got := second.have(sums...); slices.Contains(got, false) {
		t.Errorf("%v", got)
	}
	if s := second.Stats(); s.Files != 4 || s.Bytes != 4 {
		t.Errorf("%+v", s)
	}
	if again, err := second.Stat(sums[0]); err != nil || !again.Used.Equal(used.Used) {
		t.Errorf("%+v, %v; before %+v", again, err, used)
	}
	second.puts(t, "e")
	if got := second.have(sums...); !slices.Equal(got, []bool{true, false, true, true}) {
		t.Errorf("%v", got)
	}
	if strings.Contains(second.log.String(), "level=WARN") {
		t.Errorf("after an orderly end it tells: %s", second.log)
	}
	second.sound(t)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	// Less is allowed than was: the oldest go.
	c.MaxFiles = 2
	third := open(t, c)
	if got := third.have(append(sums, sumOf("e"))...); !slices.Equal(got, []bool{true, false, false, false, true}) {
		t.Errorf("%v", got)
	}
	if s := third.Stats(); s.Evicted != 2 || !strings.Contains(third.log.String(), "fewer than it had") {
		t.Errorf("%+v %s", s, third.log)
	}
	third.sound(t)
}

// TestTidy: what is no file of a store is removed and told, but nothing that a store
// cannot have made.
func TestTidy(t *testing.T) {
	c := small()
	c.Dir = t.TempDir()
	if err := os.Chmod(c.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	first := open(t, c)
	if info, err := os.Stat(c.Dir); err != nil || info.Mode().Perm() != 0o700 || !strings.Contains(first.log.String(), "mode=0755") {
		t.Errorf("%v, %v: %s", info, err, first.log)
	}
	sum := first.puts(t, "good")[0]
	first.Close()
	place := func(name, text string) {
		t.Helper()
		name = filepath.Join(c.Dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	removed := []string{"incoming/1", "incoming/x", "ab/short", "ab/" + sumOf("elsewhere"), "00/" + strings.ToUpper(strings.Repeat("00ab", 16)),
		"cc/" + "cc" + strings.Repeat("0", 62), // empty, and not the sum of that
		bucket(sum) + "/" + sum + "~"}
	for i, name := range removed {
		place(name, []string{"x", ""}[i/5%2])
	}
	if err := os.Mkdir(filepath.Join(c.Dir, "de"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(c.Dir, "de", "de"+strings.Repeat("1", 62))
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(c.Dir, "ab", "directory")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	stays := []string{"lost+found/x", "ab/full/x", "note"}
	for _, name := range stays {
		place(name, "x")
	}
	second := open(t, c)
	for _, name := range removed {
		if _, err := os.Lstat(filepath.Join(c.Dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	for _, name := range []string{link, empty} {
		if _, err := os.Lstat(name); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	for _, name := range append(stays, bucket(sum)+"/"+sum) {
		if _, err := os.Stat(filepath.Join(c.Dir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, told := range []string{"unfinished=2 wrong=7", "lost+found", "ab/full", "note", "count=3"} {
		if !strings.Contains(second.log.String(), told) {
			t.Errorf("not told: %s in %s", told, second.log)
		}
	}
	if s := second.Stats(); s.Files != 1 || s.Bytes != 4 {
		t.Errorf("%+v", s)
	}
}

// TestClockSetBack: a file whose last use lies in the future is as young as any, not
// for ever.
func TestClockSetBack(t *testing.T) {
	c := small()
	c.TTL = time.Hour
	c.Dir = t.TempDir()
	first := open(t, c)
	sums := first.puts(t, "a", "b")
	first.Close()
	later := time.Now().AddDate(1, 0, 0)
	if err := os.Chtimes(filepath.Join(c.Dir, nameOf(sums[0])), later, later); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		second := open(t, c)
		if i, err := second.Stat(sums[0]); err != nil || i.Used.After(time.Now()) {
			t.Errorf("%+v, %v", i, err)
		}
		second.Close()
	}
	third := open(t, c)
	third.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	third.Sweep()
	if got := third.have(sums...); slices.Contains(got, true) {
		t.Errorf("%v", got)
	}
	// A clock that goes back while the store is open does not turn the order round.
	sums = third.puts(t, "c")
	third.now = func() time.Time { return time.Now().Add(-2 * time.Hour) }
	sums = append(sums, third.puts(t, "d")...)
	c1, err1 := third.Stat(sums[0])
	d, err2 := third.Stat(sums[1])
	if err1 != nil || err2 != nil || !d.Used.After(c1.Used) {
		t.Errorf("%v %v, %v %v", c1, err1, d, err2)
	}
}

// TestTimesOfUse: the disk has each use within a minute, and all of them after an
// orderly end.
func TestTimesOfUse(t *testing.T) {
	o := open(t, small())
	clock := time.Now().Add(-time.Hour).Round(0)
	o.now = func() time.Time { return clock }
	sum := o.puts(t, "a")[0]
	written := func() time.Time {
		info, err := os.Stat(filepath.Join(o.dir, nameOf(sum)))
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	first := written()
	if !first.Equal(clock) {
		t.Errorf("put at %v, on the disk %v", clock, first)
	}
	clock = clock.Add(tellEvery / 2)
	o.get(t, sum).Close()
	if got := written(); !got.Equal(first) {
		t.Errorf("written down again after %v: %v", tellEvery/2, got)
	}
	clock = clock.Add(tellEvery / 2)
	o.get(t, sum).Close()
	if got := written(); !got.Equal(clock) {
		t.Errorf("used at %v, on the disk %v", clock, got)
	}
	clock = clock.Add(time.Second)
	o.get(t, sum).Close()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if got := written(); got.Before(clock) {
		t.Errorf("used at %v, at the end on the disk %v", clock, got)
	}
}

// TestForeignDirectory: another user's directory is not taken.
func TestForeignDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Fatal("tests do not run as root; see test/as-service-user")
	}
	c := small()
	c.Dir = "/"
	if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "belongs to user 0") {
		t.Error(err)
	}
}
