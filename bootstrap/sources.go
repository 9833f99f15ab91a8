package bootstrap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// source is a part of Debian's archive.
type source struct {
	URI, Suite string
	SignedBy   string // "": what mmdebstrap finds for itself
	needed     bool   // without it nothing is made
}

// Where Debian is, for everybody: what an image says of itself, and where it comes from
// where this machine's apt knows of nothing nearer.
const (
	publicArchive  = "http://deb.debian.org/debian"
	publicSecurity = "http://deb.debian.org/debian-security"
)

const debianKeys = "/usr/share/keyrings/debian-archive-keyring.gpg"

// aptHelper is how apt brings a file by its own settings; it is in no PATH.
const aptHelper = "/usr/lib/apt/apt-helper"

func (s *source) line() string {
	options := ""
	if s.SignedBy != "" {
		options = "[signed-by=" + s.SignedBy + "] "
	}
	return "deb " + options + s.URI + " " + s.Suite + " main"
}

// rolling suites have neither updates nor a part for security.
var rolling = []string{"sid", "unstable", "experimental", "rc-buggy"}

// sources are what an image of a suite is made of, on this machine.
func (o *Options) sources(ctx context.Context) ([]source, error) {
	var archive, security string
	switch {
	case o.Mirror != "":
		archive, security = o.Mirror, o.SecurityMirror
	default:
		known, err := aptKnows(ctx)
		if err != nil {
			return nil, err
		}
		archive, security = nearest(known, o.Suite)
	}
	keys := o.Keyring
	if _, err := os.Stat(debianKeys); keys == "" && err == nil {
		keys = debianKeys
	}
	all := []source{{archive, o.Suite, keys, true}}
	if slices.Contains(rolling, o.Suite) {
		return all, nil
	}
	all = append(all, source{archive, o.Suite + "-updates", keys, false})
	if security != "" {
		all = append(all, source{security, o.Suite + "-security", keys, true})
	}
	return all, nil
}

// published are the lines of the image's own list: it is for other machines, too.
func published(all []source, keep bool) string {
	var b strings.Builder
	for _, s := range all {
		if !keep {
			s.URI = publicArchive
			if strings.HasSuffix(s.Suite, "-security") {
				s.URI = publicSecurity
			}
		}
		fmt.Fprintf(&b, "deb %s %s main\n", s.URI, s.Suite)
	}
	return b.String()
}

// known is a part of an archive that this machine's apt has in its lists.
type known struct{ uri, release, origin string }

// aptKnows asks apt which archives this machine has. Where there is no apt there are none.
func aptKnows(ctx context.Context) ([]known, error) {
	text, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(CREATED_BY)\t$(COMPONENT)\t$(REPO_URI)\t$(RELEASE)\t$(ORIGIN)").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("apt-get indextargets: %w", said(err))
	}
	return readKnown(text), nil
}

func readKnown(text []byte) []known {
	var all []known
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 || f[0] != "Packages" || f[1] != "main" {
			continue
		}
		if strings.HasPrefix(f[4], "$(") { // never fetched
			f[4] = ""
		}
		all = append(all, known{strings.TrimSuffix(f[2], "/"), f[3], f[4]})
	}
	return all
}

// nearest are the archive and the security archive that this machine uses for a suite; for
// one that it does not use, those of another of Debian's; and else everybody's.
func nearest(all []known, suite string) (archive, security string) {
	find := func(wanted func(known) bool) string {
		if i := slices.IndexFunc(all, wanted); i >= 0 {
			return all[i].uri
		}
		return ""
	}
	debian := func(k known) bool { return k.origin == "Debian" }
	archive = find(func(k known) bool { return k.release == suite && (debian(k) || k.origin == "") })
	security = find(func(k known) bool { return k.release == suite+"-security" && (debian(k) || k.origin == "") })
	if archive == "" {
		archive = find(func(k known) bool { return debian(k) && !strings.Contains(k.release, "-") })
	}
	if security == "" {
		security = find(func(k known) bool { return debian(k) && strings.HasSuffix(k.release, "-security") })
	}
	if archive == "" {
		archive = publicArchive
	}
	if security == "" {
		security = publicSecurity
	}
	return archive, security
}

// ways are settings of apt's about how it reaches archives: proxies above all.
var ways = regexp.MustCompile(`^Acquire::((http|https)::[A-Za-z0-9_.:/-]+|Retries|Check-Valid-Until|Check-Date|ForceIPv[46]|Proxy-Auto-Detect)$`)

// aptWays are those of this machine, as mmdebstrap takes them. The image does not keep them.
func aptWays(ctx context.Context) ([]string, error) {
	text, err := exec.CommandContext(ctx, "apt-config", "dump", "--format", "%F\t%v%n", "Acquire").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("apt-config dump: %w", said(err))
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if value != "" && ways.MatchString(name) && !strings.ContainsAny(value, "\"\\\n") {
			out = append(out, fmt.Sprintf("%s \"%s\"", name, value))
		}
	}
	return out, nil
}

// reached looks for each source and leaves out what is not there and need not be. The time
// is that of the latest: the same archives make the same image, whenever that is done.
func reached(ctx context.Context, dir string, all []source) (there []source, latest time.Time, err error) {
	name := filepath.Join(dir, "InRelease")
	for _, s := range all {
		from := strings.TrimSuffix(s.URI, "/") + "/dists/" + s.Suite + "/InRelease"
		out, err := exec.CommandContext(ctx, aptHelper, "-o", "APT::Sandbox::User=root", "download-file", from, name).CombinedOutput()
		if ctx.Err() != nil {
			return nil, latest, context.Cause(ctx)
		}
		if err != nil && !s.needed {
			continue
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil, latest, fmt.Errorf("%s: it is part of Debian's package apt, which is not installed here: sudo apt-get install apt", aptHelper)
		}
		if err != nil {
			return nil, latest, fmt.Errorf("suite %s cannot be had from %s: %s; see that this machine reaches it (a proxy belongs into apt's own configuration, /etc/apt/apt.conf.d), or name another archive (--mirror)",
				s.Suite, s.URI, lastLines(out, 3))
		}
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.Remove(name)
		}
		if err != nil {
			return nil, latest, err
		}
		date, err := released(text)
		if err != nil {
			return nil, latest, fmt.Errorf("%s: %w", from, err)
		}
		if date.After(latest) {
			latest = date
		}
		there = append(there, s)
	}
	return there, latest, nil
}

// released reads when a suite was published. mmdebstrap checks the signature: this is
// about times of files alone.
func released(text []byte) (time.Time, error) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "Date:"); ok {
			return time.Parse(time.RFC1123, strings.TrimSpace(value))
		}
	}
	return time.Time{}, errors.New("not a list of an archive: it has no line \"Date:\"")
}

// checkURI: it goes into a line whose parts are told by spaces.
func checkURI(flag, value string) error {
	u, err := url.Parse(value)
	if err != nil || !slices.Contains([]string{"http", "https", "file"}, u.Scheme) || u.Scheme != "file" && u.Host == "" || strings.ContainsAny(value, " \t\n'\"[]") || u.User != nil {
		return fmt.Errorf("%s: %q given; http://…, https://… or file:///… is wanted, without a user and password", flag, value)
	}
	return nil
}
