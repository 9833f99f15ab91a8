package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"cordon/policy"
)

// buildKey names a build by all that it depends on: the files, the command, the
// variables, the root with its tools, the rules and the limits. Two builds with one
// key leave the same. Whose they are is part of it as well: the time of a build, and
// build.cached, would tell that another tenant has built the same.
func buildKey(s *buildSpec, g *policy.Grant) (string, error) {
	h := sha256.New()
	rules, err := json.Marshal([]any{"cordon build 3", s.tenant, g.Root, g.Seccomp, s.limits})
	if err != nil {
		return "", err
	}
	frame(h, rules)
	for _, list := range [][]string{s.args, s.env, tools(g.Root, s.args)} {
		number(h, int64(len(list)))
		for _, word := range list {
			frame(h, []byte(word))
		}
	}
	files := slices.Clone(s.files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	for i := range files {
		f := &files[i]
		frame(h, []byte(f.Path))
		number(h, int64(f.Mode))
		if f.isShown() {
			number(h, 1)
		} else {
			number(h, 0)
		}
		frame(h, []byte(f.Target))
		if err := digest(h, f); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// digest writes a file's content: its own digest, so that one that is kept counts as the
// same bytes do.
func digest(h hash.Hash, f *File) error {
	if f.Kept == nil {
		sum := sha256.Sum256(f.Data)
		frame(h, sum[:])
		return nil
	}
	if shared, ok := f.Kept.(Shared); ok {
		sum, err := hex.DecodeString(shared.SHA256())
		frame(h, sum)
		return err
	}
	kept, err := f.Kept.Open()
	if err != nil {
		return err
	}
	defer kept.Close()
	own := sha256.New()
	if _, err := io.Copy(own, kept); err != nil {
		return err
	}
	frame(h, own.Sum(nil))
	return nil
}

// frame writes bytes with their length before them: no two lists give one text.
func frame(h hash.Hash, b []byte) {
	number(h, int64(len(b)))
	h.Write(b)
}

func number(h hash.Hash, n int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

// packageStates change whenever a package of the system is installed or removed.
var packageStates = []string{"/var/lib/dpkg/status", "/var/lib/rpm/rpmdb.sqlite", "/lib/apk/db/installed", "/etc/ld.so.cache"}

// tools tells one state of a root's tools from another: by the program that builds,
// and by what the package managers of each tree leave behind.
func tools(root policy.Root, args []string) []string {
	if len(args) == 0 { // nothing is run
		return nil
	}
	program := args[0]
	trees := root.Dirs
	if root.Kind == policy.RootHost {
		trees = append([]string{""}, trees...)
	}
	names := slices.Clone(packageStates)
	if strings.Contains(program, "/") {
		names = append(names, program)
	} else {
		for dir := range strings.SplitSeq(Path, ":") {
			names = append(names, filepath.Join(dir, program))
		}
	}
	var out []string
	for _, tree := range trees {
		for _, name := range names {
			out = append(out, stamp(tree+name))
		}
	}
	return out
}

// stamp tells a file from what may be in its place later.
func stamp(name string) string {
	info, err := os.Stat(name)
	if err != nil {
		return ""
	}
	text := name + " " + info.ModTime().String()
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		var b []byte
		for _, n := range []int64{int64(st.Dev), int64(st.Ino), st.Size, st.Ctim.Nano()} {
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
		}
		text += " " + hex.EncodeToString(b)
	}
	return text
}
