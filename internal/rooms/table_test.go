package rooms

// rule forbids imports to rooms.
type rule struct {
	rooms   []string // nil: all of them
	except  []string
	imports []string // and what lies below them
	exact   bool     // only the imports themselves
	reason  string
}

func (r rule) breaks(room, name string) bool {
	if r.rooms != nil && !in(room, r.rooms...) || in(room, r.except...) {
		return false
	}
	for _, i := range r.imports {
		if name == i || !r.exact && in(name, i) {
			return true
		}
	}
	return false
}

const modulePath = module + "/"

var forbidden = []rule{
	{
		rooms:   []string{"sandbox", "policy", "policies", "cgroup", "userns", "seccomp", "rootfs", "languages"},
		imports: []string{"net/http", "github.com/prometheus", "github.com/danielgtaylor/huma", modulePath + "httpapi"},
		reason:  "the core is used without a server too (cordon run); HTTP and metrics look at it from above",
	},
	{
		except:  []string{"seccomp"},
		imports: []string{"github.com/seccomp/libseccomp-golang"},
		reason:  "libseccomp has state of the whole process and is not safe for concurrent use; one room guards it",
	},
	{
		except:  []string{"userns", "cmd/cordon"},
		imports: []string{"github.com/rootless-containers/rootlesskit"},
		reason:  "RootlessKit runs once, at the start, before anything else exists",
	},
	{
		rooms:   []string{"cgroup", "seccomp", "userns", "rootfs", "sandbox/cell", "policy", "policies", "languages"},
		imports: []string{modulePath + "sandbox"},
		exact:   true,
		reason:  "these are parts of the core and know nothing of jobs; the arrows point one way",
	},
	{
		rooms:   []string{"sandbox"},
		imports: []string{modulePath + "httpapi", modulePath + "queue", modulePath + "policies", modulePath + "cmd"},
		reason:  "a job is the same whoever brought it and wherever its policy was read",
	},
	{
		except:  []string{"cmd/cordon", "internal/doctor", "internal/setup"},
		imports: []string{modulePath + "internal/setup", modulePath + "internal/doctor"},
		reason:  "what wants root once, or looks at the host, has no part in running jobs",
	},
	{
		except:  []string{"sandbox/cell", "seccomp", "bench"},
		imports: []string{"C"},
		reason:  "C is for the child side, libseccomp and the vfork that starts are measured against; everything else stays memory-safe",
	},
	{
		except:  []string{"seccomp", "bench", "internal/doctor"},
		imports: []string{"unsafe"},
		reason:  "only the ioctls of the filter's listener, the probe of it, and C need it; x/sys wraps every other call",
	},
	{
		except:  []string{"cmd/cordon"},
		imports: []string{"github.com/spf13", "github.com/jedib0t/go-pretty"},
		reason:  "flags and tables are the command line's; a room takes its settings as values",
	},
	{
		except:  []string{"policies", "languages", "judge/problem", "recipe", "cmd/cordon", "test"},
		imports: []string{"github.com/goccy/go-yaml"},
		reason:  "documents are decoded strictly, in the rooms that own them",
	},
	{
		except:  []string{"tenants"},
		imports: []string{"github.com/fsnotify"},
		reason:  "what follows a file knows how it may be replaced; others are told by that room",
	},
	{
		except:  []string{"queue"},
		imports: []string{"github.com/nats-io"},
		reason:  "where jobs are kept is the queue's own matter; everybody else knows records",
	},
	{
		except:  []string{"webhook"},
		imports: []string{"code.dny.dev/ssrf"},
		reason:  "which addresses may be dialled for strangers is decided in one room, where it is tried",
	},
	{
		except:  []string{"image", "internal/testkit", "internal/verify"}, // these two make archives to be unpacked there
		imports: []string{"archive", "compress", "github.com/klauspost/compress", "github.com/google/go-containerregistry"},
		reason:  "what is packed is unpacked in one room, within limits and beneath one descriptor",
	},
	{
		rooms:   []string{"image"},
		imports: []string{"os/exec"},
		reason:  "nothing that an image says is executed to bring it in",
	},
	{
		except:  []string{"internal/testkit", "test"},
		imports: []string{"testing", modulePath + "internal/testkit", "go.uber.org/goleak", "pgregory.net/rapid"},
		reason:  "the program does not carry its tests",
	},
	{
		imports: []string{"plugin", "net/rpc", "encoding/gob", "net/http/pprof", "expvar"},
		reason:  "code or data from outside is never loaded or decoded loosely, and nothing opens a port by being imported",
	},
}

// allowance names all that one room may import.
type allowance struct {
	room   string
	allows func(string) bool
	reason string
}

var only = []allowance{
	{"policy", func(i string) bool {
		return standard(i) && !in(i, "C", "os", "syscall", "net", "unsafe", "runtime", "plugin", "path/filepath")
	}, "a policy decides the same on every machine: the standard library alone, and no part of it that asks the kernel"},
	{"sandbox/cell", func(i string) bool {
		return standard(i) || in(i, "golang.org/x/sys")
	}, "the child side and its protocol stand alone, so that they can be read and tested alone"},
	{"store", func(i string) bool {
		return standard(i) && !in(i, "C", "net", "unsafe", "plugin") || in(i, "golang.org/x/sys")
	}, "files by content are kept the same way for whoever brings and wants them"},
	{"client", func(i string) bool { return standard(i) && !in(i, "C", "unsafe", "plugin") },
		"who talks to the service takes over none of what it stands on: its types are made from the API's description"},
	{"tenants", func(i string) bool {
		return standard(i) && !in(i, "C", "net", "unsafe", "plugin") ||
			in(i, "golang.org/x/sys", "golang.org/x/time", "github.com/fsnotify/fsnotify", "github.com/go-json-experiment/json")
	}, "who may do what is decided the same way for whoever asks, and nothing of it comes over a network"},
	{"sandbox/line", func(i string) bool {
		return standard(i) && !in(i, "C", "os", "syscall", "net", "unsafe", "runtime", "plugin")
	}, "who may run next is decided without asking the kernel, so that it can be tried in any order"},
	{"audit", func(i string) bool {
		return standard(i) && !in(i, "C", "net", "unsafe", "plugin") || in(i, "golang.org/x/sys")
	}, "what is written down for others to rely on is made by little"},
	{"image", func(i string) bool {
		return standard(i) && !in(i, "C", "unsafe", "plugin") || in(i, "golang.org/x/sys", "github.com/klauspost/compress", "github.com/cespare/xxhash", "github.com/google/go-containerregistry")
	}, "images are brought in the same way for whoever wants them, and nothing of a job is known here"},
	{"internal/undo", func(i string) bool { return standard(i) && i != "C" }, "a stack of functions needs nothing"},
}

// arrows are the rooms and which others each may import.
var arrows = map[string][]string{
	"cmd/cordon":         {"*"},
	"client":             {},
	"httpapi":            {"sandbox", "policy", "policies", "languages", "rootfs", "store", "judge", "queue", "tenants", "audit", "webhook"},
	"audit":              {},
	"webhook":            {},
	"web":                {},
	"queue":              {},
	"tenants":            {},
	"sandbox":            {"policy", "userns", "cgroup", "rootfs", "seccomp", "sandbox/cell", "sandbox/line", "store", "internal/undo", "internal/cores", "judge", "builds"},
	"sandbox/cell":       {},
	"sandbox/line":       {},
	"policy":             {},
	"policies":           {"policy"},
	"languages":          {"policy"},
	"builds":             {},
	"image":              {},
	"bootstrap":          {"image"},
	"recipe":             {"bootstrap", "image", "policy", "rootfs", "sandbox"},
	"imageroots":         {"image", "rootfs", "policy", "sandbox/cell"},
	"judge":              {},
	"judge/problem":      {},
	"userns":             {},
	"seccomp":            {},
	"cgroup":             {},
	"rootfs":             {"policy", "sandbox/cell"},
	"store":              {},
	"bench":              {"internal/child", "internal/cores", "internal/processes", "test/victims"}, // it looks at a service from outside, too; the victims are C to compile
	"deploy":             {},
	"internal/doctor":    {"cgroup", "userns", "languages", "rootfs"},
	"internal/setup":     {"cgroup", "deploy"},
	"internal/verify":    {"internal/child", "internal/processes", "test/victims"}, // it looks at a service from outside
	"calibrate":          {"internal/cores"},
	"internal/child":     {},
	"internal/cores":     {},
	"internal/processes": {},
	"internal/testkit":   {"internal/processes"},
	"internal/undo":      {},
	"internal/rooms":     {},
}
