package bootstrap

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/image"
)

// TestNearest: what this machine's apt has is used, and never another distribution's.
func TestNearest(t *testing.T) {
	text := "Packages\tmain\thttp://near.example/debian/\tbookworm\tDebian\n" +
		"DEP-11\tmain\thttp://wrong.example/debian/\tbookworm\tDebian\n" +
		"Packages\tcontrib\thttp://wrong.example/debian/\tbookworm\tDebian\n" +
		"Packages\tmain\thttp://near.example/security/\tbookworm-security\tDebian\n" +
		"Packages\tmain\thttp://other.example/ubuntu\tnoble\tUbuntu\n" +
		"Packages\tmain\thttp://new.example/debian\tforky\t$(ORIGIN)\n" +
		"Packages\tmain\n"
	all := readKnown([]byte(text))
	if len(all) != 4 {
		t.Fatalf("%+v", all)
	}
	for suite, want := range map[string][2]string{
		"bookworm": {"http://near.example/debian", "http://near.example/security"},
		"trixie":   {"http://near.example/debian", "http://near.example/security"},
		"forky":    {"http://new.example/debian", "http://near.example/security"},
		"noble":    {"http://near.example/debian", "http://near.example/security"}, // not Ubuntu's
	} {
		if archive, security := nearest(all, suite); archive != want[0] || security != want[1] {
			t.Errorf("%s: %s, %s; want %v", suite, archive, security, want)
		}
	}
	if archive, security := nearest(nil, "bookworm"); archive != publicArchive || security != publicSecurity {
		t.Errorf("without apt: %s, %s", archive, security)
	}
}

// TestNothingOfThisMachine: the image's own list and history name no archive of this
// machine's, unless that is wanted, and what was needed to reach it is removed.
func TestNothingOfThisMachine(t *testing.T) {
	there := []source{{"http://near.example/debian", "trixie", "/keys.gpg", true}, {"http://near.example/debian", "trixie-updates", "/keys.gpg", false},
		{"http://near.example/security", "trixie-security", "/keys.gpg", true}}
	o := &Options{Suite: "trixie", Variant: "apt", Include: []string{"gcc", "g++"}}
	if got, want := published(there, false), "deb http://deb.debian.org/debian trixie main\ndeb http://deb.debian.org/debian trixie-updates main\n"+
		"deb http://deb.debian.org/debian-security trixie-security main\n"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	if got := published(there, true); strings.Count(got, "near.example") != 3 || strings.Contains(got, "keys.gpg") {
		t.Errorf("kept: %s", got)
	}
	p := o.arguments("/bin/mmdebstrap", there, []string{`Acquire::http::Proxy "http://me:secret@proxy.example"`})
	args := p.args
	if got := p.files["cordon-apt.conf"]; got != "Acquire::http::Proxy \"http://me:secret@proxy.example\";\n" {
		t.Errorf("%q", got)
	}
	if got := p.files["cordon.list"]; !strings.Contains(got, "\ndeb [signed-by=/keys.gpg] http://near.example/security trixie-security main\n") {
		t.Errorf("%q", got)
	}
	if all := strings.Join(args, " "); strings.Contains(all, "secret") || strings.Contains(all, "near.example") {
		t.Errorf("everybody who lists processes sees it: %s", all)
	}
	for _, want := range []string{"--include=gcc,g++", "--variant=apt", "--aptopt=/tmp/cordon-apt.conf", "/tmp/cordon.list"} {
		if !slices.Contains(args, want) {
			t.Errorf("without %s: %q", want, args)
		}
	}
	hook := args[slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--customize-hook=") })]
	if strings.Contains(hook, "near.example") || !strings.Contains(hook, "99mmdebstrap") || strings.Contains(o.command(), "example") {
		t.Errorf("%s; %s", hook, o.command())
	}
}

// TestCheck: what would be more than one word to mmdebstrap, apt or the shell is refused.
func TestCheck(t *testing.T) {
	good := func() Options {
		return Options{Suite: "bookworm", Variant: "minbase", Include: []string{"g++", "libc6:amd64", "python3=3.11.2-1+b1"}}
	}
	o := good()
	if err := o.Check(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Options){
		"--suite":             func(o *Options) { o.Suite = "x'; rm" },
		"--variant":           func(o *Options) { o.Variant = "buildd" },
		"--include":           func(o *Options) { o.Include = []string{"--force"} },
		"--include: \"bash-":  func(o *Options) { o.Include = []string{"bash-"} },
		"--mirror: \"ftp":     func(o *Options) { o.Mirror = "ftp://x/debian" },
		"--mirror: \"http://": func(o *Options) { o.Mirror = "http://me:secret@x/debian" },
		"--mirror: \"http:":   func(o *Options) { o.Mirror = "http:///debian" },
		"--security-mirror":   func(o *Options) { o.SecurityMirror = "http://x/debian" },
		"--keyring":           func(o *Options) { o.Keyring = "keys" },
		"--keyring: stat":     func(o *Options) { o.Keyring = "/nowhere/keys" },
	} {
		o := good()
		change(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestIDMap: root is there, nobody is there, and nothing outside of the images' ids.
func TestIDMap(t *testing.T) {
	for _, o := range []image.Owners{{First: 65537, Count: 65536}, {First: 32769, Count: 32768}, {First: 2049, Count: 2048}} {
		next, ids := int(o.First), 0
		var nobodyThere bool
		for _, m := range idMap(o) {
			if m.HostID != next {
				t.Errorf("%+v: %+v", o, m)
			}
			next += m.Size
			ids += m.Size
			nobodyThere = nobodyThere || m.ContainerID <= nobody && nobody < m.ContainerID+m.Size
		}
		if ids != int(o.Count) || idMap(o)[0].ContainerID != 0 || !nobodyThere {
			t.Errorf("%+v: %d ids: %+v", o, ids, idMap(o))
		}
	}
}

func TestReleased(t *testing.T) {
	got, err := released([]byte("Origin: Debian\nDate: Sat, 06 Sep 2025 09:57:42 UTC\n"))
	if err != nil || !got.Equal(time.Date(2025, 9, 6, 9, 57, 42, 0, time.UTC)) {
		t.Error(got, err)
	}
	for _, text := range []string{"", "Origin: Debian\n", "Date: yesterday\n", "<html>"} {
		if _, err := released([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// TestListener: progress goes on, and what went wrong is told with what may be done.
func TestListener(t *testing.T) {
	var seen []string
	l := &listener{progress: func(s string) { seen = append(seen, s) }}
	for _, piece := range []string{"I: downl", "oading\nW: odd\n", "E: Unable to locate package nothing\n", "I: done\n"} {
		if n, err := l.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := l.failure(errors.New("exit status 25")); !slices.Equal(seen, []string{"downloading", "done"}) ||
		!strings.Contains(err.Error(), "nothing of the image was kept") || !strings.Contains(err.Error(), "--include") || strings.Contains(err.Error(), "odd") {
		t.Errorf("%q: %v", seen, err)
	}
	l = &listener{progress: func(string) {}}
	_, _ = l.Write([]byte("tar: write error: No space left on device\n"))
	if err := l.failure(errors.New("exit status 2")); !strings.Contains(err.Error(), "disk is full") {
		t.Error(err)
	}
}

// TestStageAlone: nobody comes to the inner half by its name.
func TestStageAlone(t *testing.T) {
	if err := Stage([]string{"/bin/true"}); err == nil {
		t.Error("it ran outside of its namespaces")
	}
}
