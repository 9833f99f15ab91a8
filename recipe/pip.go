package recipe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cordon/image"
	"cordon/sandbox"
)

// pipScript installs wheels, with the image's own pip or with the one that came with them:
// the image needs Python alone.
const pipScript = `set -e
export HOME=/root TMPDIR=/tmp PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_INPUT=1
own=$(echo /work/pip/pip-[0-9]*-py3-none-any.whl)
if [ -e "$own" ]; then export PYTHONPATH=$own; fi
exec python3 -m pip install --no-index --find-links /work/pip --only-binary :all: --no-warn-script-location "$@"
`

// pipProbe tells what an image's Python can load.
const pipProbe = `import importlib.util, json, platform, sys
print(json.dumps({"version": "%d.%d.%d" % sys.version_info[:3], "implementation": sys.implementation.name, "machine": platform.machine(),
    "libc": list(platform.libc_ver()), "pip": importlib.util.find_spec("pip") is not None}))`

// pipOwn says where this machine's Python is, with its pip.
const pipOwn = `import pip, sys
print(sys.executable)
`

// pipAlone is pip where it can start no other program. A wheel may want a package at an
// address of its choice, and of a source pip runs what is in it, to know its name: whatever
// was said about wheels alone. That it cannot is tried first.
const pipAlone = `import os, resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    os.fork()
except BlockingIOError:
    pass
else:
    os._exit(99)
sys.argv = ["pip"] + sys.argv[1:]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
`

type python struct {
	Version        string   `json:"version"`
	Implementation string   `json:"implementation"`
	Machine        string   `json:"machine"`
	Libc           []string `json:"libc"`
	Pip            bool     `json:"pip"` // it has one
}

// What an image says of its Python becomes arguments.
var (
	pythonVersion = regexp.MustCompile(`^3\.[0-9]{1,2}\.[0-9]{1,3}$`)
	machineForm   = regexp.MustCompile(`^[a-z0-9_]{1,20}$`)
	glibcForm     = regexp.MustCompile(`^2\.([0-9]{1,2})$`)
)

// bringPip has this machine's pip find wheels for the image's Python. It takes nothing else:
// a source would have to be run to know what it needs.
func (b *work) bringPip(ctx context.Context, h *image.Held, words []string, dir string) ([]sandbox.File, error) {
	text, err := b.probe(ctx, h, "packages.pip", "python3", "-c", pipProbe)
	if err != nil {
		return nil, err
	}
	var p python
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("packages.pip: the image's python3 does not say what it is: %w", err)
	}
	args, err := p.arguments()
	if err != nil {
		return nil, fmt.Errorf("packages.pip: %w", err)
	}
	// What is called python3 may start another one: that has to be done before.
	own, alone := filepath.Join(dir, "scripts", "own.py"), filepath.Join(dir, "scripts", "alone.py")
	wheels := filepath.Join(dir, "wheels")
	if err := errors.Join(os.Mkdir(filepath.Dir(own), 0o700), os.Mkdir(wheels, 0o700), os.WriteFile(own, []byte(pipOwn), 0o600), os.WriteFile(alone, []byte(pipAlone), 0o600)); err != nil {
		return nil, err
	}
	program, err := exec.CommandContext(ctx, "python3", own).Output()
	if err != nil {
		return nil, fmt.Errorf("packages.pip: pip is not installed on this machine, which brings these packages: sudo apt-get install python3-pip (%w)", err)
	}
	b.tell("pip: bringing packages")
	all := slices.Concat([]string{alone, "download", "--quiet", "--disable-pip-version-check", "--no-input", "--progress-bar=off", "--dest", wheels}, args, []string{"--"})
	if !p.Pip {
		all = append(all, "pip")
	}
	if err := tool(ctx, wheels, []string{"PIP_ROOT_USER_ACTION=ignore"}, strings.TrimSpace(string(program)), append(all, words...)...); err != nil {
		return nil, fmt.Errorf("packages.pip: %w\nonly wheels are taken: a package that has none for this Python can be built by hand into one", err)
	}
	if err := onlyWheels(wheels); err != nil {
		return nil, err
	}
	return brought(wheels, "pip")
}

// arguments say which wheels fit.
func (p *python) arguments() ([]string, error) {
	if p.Implementation != "cpython" || !pythonVersion.MatchString(p.Version) || !machineForm.MatchString(p.Machine) || len(p.Libc) != 2 {
		return nil, fmt.Errorf("the image's Python is %.60q, version %.60q, for %.60q; CPython 3 is wanted", p.Implementation, p.Version, p.Machine)
	}
	parts := strings.Split(p.Version, ".")
	out := []string{"--only-binary=:all:", "--implementation=cp", "--python-version=" + p.Version, "--abi=cp" + parts[0] + parts[1], "--abi=abi3", "--abi=none"}
	for _, platform := range p.platforms() {
		out = append(out, "--platform="+platform+"_"+p.Machine)
	}
	return out, nil
}

// platforms are what the C library runs, the newest first.
func (p *python) platforms() []string {
	m := glibcForm.FindStringSubmatch(p.Libc[1])
	if p.Libc[0] != "glibc" || m == nil {
		return []string{"musllinux_1_2", "musllinux_1_1"}
	}
	newest, _ := strconv.Atoi(m[1]) // digits
	var out []string
	for minor := newest; minor >= 5; minor-- {
		out = append(out, "manylinux_2_"+strconv.Itoa(minor))
		if old, ok := map[int]string{17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}[minor]; ok {
			out = append(out, old)
		}
	}
	return append(out, "linux")
}

// onlyWheels: nothing else was brought.
func onlyWheels(dir string) error {
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range all {
		if !strings.HasSuffix(f.Name(), ".whl") {
			return fmt.Errorf("packages.pip: %q came, which is no wheel; a package wants it by an address of its own", f.Name())
		}
	}
	return nil
}
