package sandbox

import (
	"fmt"
	"strconv"
	"strings"
)

// newView reads what the kernel writes below /proc/PID, by the names of the files. What is not
// there, or is not as it is known, is left out: nothing is decided by it.
func newView(texts map[string][]byte) View {
	v := View{Namespaces: []Namespace{}, UIDMap: idRanges(texts["uid_map"]), GIDMap: idRanges(texts["gid_map"]), UIDs: []int64{}, GIDs: []int64{}, Groups: []int64{},
		Capabilities: map[string][]string{}, Seccomp: "off", Filters: -1, Mounts: mounts(texts["mountinfo"]), Rlimits: rlimitsOf(texts["limits"]), Interfaces: interfaces(texts["net/dev"])}
	for _, kind := range namespaceKinds {
		if id := namespaceID(string(texts["ns/"+kind])); id != 0 {
			v.Namespaces = append(v.Namespaces, Namespace{Kind: kind, ID: id})
		}
	}
	for line := range strings.Lines(string(texts["status"])) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		v.status(name, strings.TrimSpace(value))
	}
	return v
}

// capabilitySets are the names of the sets by those in status.
var capabilitySets = map[string]string{"CapInh": "inheritable", "CapPrm": "permitted", "CapEff": "effective", "CapBnd": "bounding", "CapAmb": "ambient"}

func (v *View) status(name, value string) {
	switch name {
	case "Uid":
		v.UIDs = numbers(value)
	case "Gid":
		v.GIDs = numbers(value)
	case "Groups":
		v.Groups = numbers(value)
	case "NoNewPrivs":
		v.NoNewPrivs = value == "1"
	case "Seccomp":
		v.Seccomp = map[string]string{"0": "off", "1": "strict", "2": "filter"}[value]
	case "Seccomp_filters":
		if n := numbers(value); len(n) == 1 {
			v.Filters = n[0]
		}
	default:
		if set, is := capabilitySets[name]; is {
			if bits, err := strconv.ParseUint(value, 16, 64); err == nil {
				v.Capabilities[set] = capabilities(bits)
			}
		}
	}
}

func numbers(text string) []int64 {
	out := []int64{}
	for word := range strings.FieldsSeq(text) {
		if n, err := strconv.ParseInt(word, 10, 64); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// capabilityNames by their numbers: capabilities(7).
var capabilityNames = strings.Fields("chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service " +
	"net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource " +
	"sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf " +
	"checkpoint_restore")

func capabilities(bits uint64) []string {
	out := []string{}
	for n := range 64 {
		if bits&(1<<n) == 0 {
			continue
		}
		name := fmt.Sprintf("CAP_%d", n) // of a newer kernel
		if n < len(capabilityNames) {
			name = "CAP_" + strings.ToUpper(capabilityNames[n])
		}
		out = append(out, name)
	}
	return out
}

// idRanges reads an id map.
func idRanges(text []byte) []IDRange {
	out := []IDRange{}
	for line := range strings.Lines(string(text)) {
		if n := numbers(line); len(n) == 3 {
			out = append(out, IDRange{Inside: n[0], Outside: n[1], Count: n[2]})
		}
	}
	return out
}

// superShown are the options of a file system whose values are shown. Others may be paths of the
// host (lowerdir, lowerdir+, subvol), or addresses and names of its servers (addr, username).
var superShown = map[string]bool{"size": true, "nr_inodes": true, "nr_blocks": true, "mode": true, "uid": true, "gid": true, "hidepid": true, "subset": true, "huge": true}

// mounts reads mountinfo. What a mount is made of outside is left out: that is the host's.
func mounts(text []byte) []Mount {
	out := []Mount{}
	for line := range strings.Lines(string(text)) {
		before, behind, found := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(behind)
		if !found || len(left) < 6 || len(right) < 3 {
			continue
		}
		super := []string{}
		for option := range strings.SplitSeq(right[2], ",") {
			if name, _, valued := strings.Cut(option, "="); !valued || superShown[name] {
				super = append(super, option)
			}
		}
		out = append(out, Mount{Point: unescape(left[4]), Type: right[0], Options: strings.Split(left[5], ","), Super: super})
	}
	return out
}

// unescape undoes how the kernel writes blanks, tabs, line ends and backslashes.
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(text)
}

// rlimitNames are those of limits, as setrlimit has them.
var rlimitNames = map[string]string{"Max cpu time": "RLIMIT_CPU", "Max file size": "RLIMIT_FSIZE", "Max data size": "RLIMIT_DATA", "Max stack size": "RLIMIT_STACK",
	"Max core file size": "RLIMIT_CORE", "Max resident set": "RLIMIT_RSS", "Max processes": "RLIMIT_NPROC", "Max open files": "RLIMIT_NOFILE",
	"Max locked memory": "RLIMIT_MEMLOCK", "Max address space": "RLIMIT_AS", "Max file locks": "RLIMIT_LOCKS", "Max pending signals": "RLIMIT_SIGPENDING",
	"Max msgqueue size": "RLIMIT_MSGQUEUE", "Max nice priority": "RLIMIT_NICE", "Max realtime priority": "RLIMIT_RTPRIO", "Max realtime timeout": "RLIMIT_RTTIME"}

// limitColumn is how wide the names of limits are written.
const limitColumn = 26

func rlimitsOf(text []byte) []Rlimit {
	out := []Rlimit{}
	for line := range strings.Lines(string(text)) {
		if len(line) <= limitColumn {
			continue
		}
		name, is := rlimitNames[strings.TrimSpace(line[:limitColumn])]
		words := strings.Fields(line[limitColumn:])
		if !is || len(words) < 2 {
			continue
		}
		out = append(out, Rlimit{name, bound(words[0]), bound(words[1])})
	}
	return out
}

func bound(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil { // unlimited
		return -1
	}
	return n
}

// interfaces are the names in net/dev.
func interfaces(text []byte) []string {
	out := []string{}
	for line := range strings.Lines(string(text)) {
		if name, _, found := strings.Cut(line, ":"); found {
			out = append(out, strings.TrimSpace(name))
		}
	}
	return out
}
