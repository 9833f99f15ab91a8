package doctor

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"cordon/cgroup"
)

type rowCase struct {
	change     func(*host, files)
	row        string
	status     Status
	found, fix string
}

func failing(probe, errno string) func(*host, files) {
	return func(h *host, _ files) { h.outcomes[probe] = outcome{Problem: "tried", Errno: errno} }
}

func with(name, text string) func(*host, files) {
	return func(_ *host, f files) { f[name] = text }
}

func without(names ...string) func(*host, files) {
	return func(_ *host, f files) {
		for _, n := range names {
			delete(f, n)
		}
	}
}

func both(changes ...func(*host, files)) func(*host, files) {
	return func(h *host, f files) {
		for _, c := range changes {
			c(h, f)
		}
	}
}

func v1(h *host, _ files)       { useV1(h) }
func unplaced(h *host, _ files) { noPlace(h) }
func asRoot(h *host, _ files)   { h.uid = 0 }
func isInside(h *host, _ files) { h.inside = true }

func mapped(n int, err error) func(*host, files) {
	return func(h *host, _ files) { h.inside = true; h.mapped = func() (int, error) { return n, err } }
}

func offer(o cgroup.Offer, err error) func(*host, files) {
	return func(h *host, _ files) { h.offered = func() (cgroup.Offer, error) { return o, err } }
}

func systemd(_ *host, f files) { f["run/systemd/system/.keep"] = "" }

func refused(reason error) func(*host, files) {
	return func(h *host, _ files) {
		h.look = func(string) (cgroup.Place, error) {
			return cgroup.Place{}, fmt.Errorf("%w; looked at:\n  /cg: %w", cgroup.ErrNoDelegation, reason)
		}
	}
}

func noIO(h *host, _ files) {
	useV2(h, "cpu", "memory", "pids")
	h.offered = func() (cgroup.Offer, error) {
		return cgroup.Offer{Version: 2, Controllers: []string{"cpu", "io", "memory", "pids"}}, nil
	}
}

const (
	restrict = "proc/sys/kernel/apparmor_restrict_unprivileged_userns"
	cloning  = "proc/sys/kernel/unprivileged_userns_clone"
	limit    = "proc/sys/user/max_user_namespaces"
	swapped  = "Filename Type Size Used Priority\n/swap file 1 0 -2"
	filter   = "Seccomp:\t2\n"
	service  = "cordon:x:998:998::/var/lib/cordon:/usr/sbin/nologin\n"
)

var rowCases = map[string]rowCase{
	"kernel unknown": {without("proc/sys/kernel/osrelease"), "kernel", Degraded, "ENOENT", "mount"},
	"kernel":         {nil, "kernel", OK, "6.12.0-test", ""},

	"user":                {nil, "service user", OK, "ann (uid 1000)", ""},
	"user without a name": {func(h *host, _ files) { h.uid = 4242 }, "service user", OK, "4242", ""},
	"root, no user":       {asRoot, "service user", Missing, "no user cordon", "sudo cordon setup &&"},
	"root, user":          {both(asRoot, with("etc/passwd", service)), "service user", Missing, "cordon (uid 998)", "cordon setup --quiet -- cordon doctor"},

	"userns forbidden":        {with(cloning, "0"), "user namespaces", Missing, "unprivileged_userns_clone=0", "kernel.unprivileged_userns_clone=1"},
	"userns allowed":          {with(cloning, "1"), "user namespaces", OK, "works", ""},
	"userns switch broken":    {with(cloning, "x"), "user namespaces", Missing, "invalid syntax", "kernel.unprivileged_userns_clone=1"},
	"userns used up":          {failing("userns", "ENOSPC"), "user namespaces", Missing, "ENOSPC", "user.max_user_namespaces=15000"},
	"userns by AppArmor":      {both(failing("userns", "EACCES"), with(restrict, "1")), "user namespaces", Missing, "EACCES", "apparmor_parser"},
	"userns by filter":        {both(failing("userns", "EPERM"), with("proc/self/status", filter)), "user namespaces", Missing, "EPERM", "seccomp=unconfined"},
	"userns not in kernel":    {failing("userns", "EINVAL"), "user namespaces", Missing, "EINVAL", "CONFIG_USER_NS"},
	"userns limit 0":          {with(limit, "0"), "user namespace limit", Missing, "0", "user.max_user_namespaces=15000"},
	"userns limit small":      {with(limit, "100"), "user namespace limit", Degraded, "100", "user.max_user_namespaces=15000"},
	"userns limit not there":  {without(limit), "user namespace limit", Missing, "no user.max", "CONFIG_USER_NS"},
	"userns limit broken":     {with(limit, "many"), "user namespace limit", Missing, "invalid syntax", "user.max"},
	"AppArmor off":            {with(restrict, "0"), "AppArmor", OK, "does not restrict", ""},
	"AppArmor with a profile": {with(restrict, "1"), "AppArmor", OK, "may have them", ""},
	"AppArmor without":        {both(failing("userns", "EACCES"), with(restrict, "1")), "AppArmor", Missing, "no loaded profile", "/etc/apparmor.d/cordon"},
	"AppArmor as root":        {both(asRoot, with(restrict, "1")), "AppArmor", Missing, "is not there", "apparmor_parser -r"},
	"AppArmor as root, file":  {both(asRoot, with(restrict, "1"), with("etc/apparmor.d/cordon", "")), "AppArmor", OK, "may have them", ""},

	"newuidmap":                {nil, "newuidmap", OK, "/usr/bin/newuidmap, /usr/bin/newgidmap", ""},
	"newuidmap not there":      {without("s:usr/bin/newuidmap"), "newuidmap", Missing, "newuidmap is not in /usr/local/bin", "apt-get install uidmap"},
	"newgidmap not there":      {without("s:usr/bin/newgidmap"), "newuidmap", Missing, "newgidmap is not in", "apt-get install uidmap"},
	"newuidmap plain":          {both(without("s:usr/bin/newuidmap"), with("x:usr/bin/newuidmap", "")), "newuidmap", Missing, "neither setuid", "chmod u+s /usr/bin/newuidmap"},
	"newuidmap with caps":      {both(without("s:usr/bin/newuidmap"), with("x:usr/bin/newuidmap", ""), func(h *host, _ files) { h.fileCaps = func(string) bool { return true } }), "newuidmap", OK, "/usr/bin/newuidmap", ""},
	"newuidmap nosuid":         {func(h *host, _ files) { h.noSuid = func(string) bool { return true } }, "newuidmap", Missing, "nosuid", "remount,suid"},
	"newuidmap, no_new_privs":  {with("proc/self/status", "NoNewPrivs:\t1\n"), "newuidmap", Missing, "no_new_privs", "NoNewPrivileges="},
	"newuidmap inside":         {both(isInside, without("s:usr/bin/newuidmap")), "newuidmap", OK, "used at the start", ""},
	"newuidmap inside, one id": {both(mapped(0, nil), without("s:usr/bin/newuidmap")), "newuidmap", Missing, "is not in", "uidmap"},

	"ids":                 {nil, "subordinate ids", OK, "65536 for ann", ""},
	"ids by number":       {both(with("etc/subuid", "1000:100000:65536"), with("etc/subgid", "1000:100000:65536")), "subordinate ids", OK, "65536", ""},
	"ids, several lines":  {both(with("etc/subuid", "ann:1:32768\nann:100000:32768"), with("etc/subgid", "# all\n\nann:1:65536")), "subordinate ids", OK, "65536", ""},
	"ids few":             {with("etc/subgid", "ann:100000:1000"), "subordinate ids", Degraded, "500 jobs", "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 ann"},
	"ids one":             {with("etc/subgid", "ann:100000:1"), "subordinate ids", Missing, "1 for ann; 2 are needed", "usermod"},
	"ids none":            {without("etc/subuid", "etc/subgid"), "subordinate ids", Missing, "0 for ann", "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann"},
	"ids broken":          {with("etc/subuid", "ann:x:1"), "subordinate ids", Missing, "/etc/subuid line 1", "mend the line"},
	"ids full":            {both(with("etc/subuid", "bob:100000:4294850000"), with("etc/subgid", "")), "subordinate ids", Missing, "0 for ann", "free a range"},
	"ids inside":          {isInside, "subordinate ids", OK, "65536", ""},
	"ids inside few":      {mapped(10, nil), "subordinate ids", Degraded, "5 jobs", "usermod"},
	"ids inside one":      {mapped(0, nil), "subordinate ids", Missing, "0 for ann", "usermod"},
	"ids inside unknown":  {mapped(0, errors.New("no map")), "subordinate ids", Missing, "no map", "usermod"},
	"ids of no user yet":  {asRoot, "subordinate ids", Missing, "no user cordon", "sudo cordon setup"},
	"ids of service user": {both(asRoot, with("etc/passwd", service)), "subordinate ids", Missing, "0 for cordon", "165536-231071 cordon"},

	"namespaces":      {failing("namespaces", "EINVAL"), "other namespaces", Missing, "tried: EINVAL", "CONFIG_PID_NS"},
	"nesting":         {failing("nesting", "EROFS"), "no nested user namespaces", Missing, "EROFS", "systempaths=unconfined"},
	"proc":            {failing("proc", "EPERM"), "fresh /proc", Missing, "EPERM", "mount -t proc"},
	"proc masked":     {both(failing("proc", "EPERM"), with("proc/self/mountinfo", "1 2 0:1 / /proc rw\n1 2 0:1 / /proc/kcore rw\n1 2 0:1 / /proc/sys/fs/binfmt_misc rw\n")), "fresh /proc", Missing, "mounted over: /proc/kcore", "sudo umount /proc/kcore "},
	"tmpfs":           {failing("tmpfs", "ENODEV"), "bounded tmpfs", Missing, "ENODEV", "CONFIG_TMPFS"},
	"overlay module":  {failing("overlay", "ENODEV"), "overlay", Degraded, "ENODEV", "modprobe overlay"},
	"mount below":     {with("proc/self/mountinfo", "30 20 8:1 / /usr rw - ext4 d rw\n31 30 8:2 / /usr/lib/wsl rw - ext4 d rw"), "overlay layers", Degraded, "/usr/lib/wsl is mounted below /usr", "beside"},
	"mount in a root": {both(func(h *host, f files) { h.roots = []string{"/srv/t"}; f["srv/t/x"] = "" }, with("proc/self/mountinfo", "31 30 8:2 / /srv/t/a\\040b rw - ext4 d rw")), "overlay layers", Degraded, "/srv/t/a b is mounted below /srv/t", "root.dirs"},
	"mount beside":    {with("proc/self/mountinfo", "30 20 8:1 / /usr rw - ext4 d rw\n31 30 8:2 / /usrlocal rw - ext4 d rw"), "overlay layers", OK, "nothing", ""},
	"no mountinfo":    {without("proc/self/mountinfo"), "overlay layers", Degraded, "ENOENT", "mount /proc"},
	"overlay":         {failing("overlay", "EINVAL"), "overlay", Degraded, "EINVAL", "5.11"},
	"bind":            {failing("bind", "ENOSYS"), "read-only binds", Missing, "ENOSYS", "5.12"},
	"bind by filter":  {both(failing("bind", "ENOSYS"), with("proc/self/status", filter)), "read-only binds", Missing, "ENOSYS", "seccomp=unconfined"},
	"seccomp":         {failing("seccomp", "EINVAL"), "seccomp", Missing, "EINVAL", "CONFIG_SECCOMP_FILTER"},
	"seccomp taken":   {failing("seccomp", "EBUSY"), "seccomp", Missing, "EBUSY", "outer sandbox"},
	"killable":        {failing("killable", "EINVAL"), "seccomp wait-killable", Degraded, "EINVAL", "5.19"},
	"clone3":          {failing("clone3", "ENOSYS"), "clone3", Missing, "ENOSYS", "5.7"},
	"calls":           {nil, "kernel calls", OK, "pidfd works, memfd works, openat2 works, close_range works", ""},
	"calls, two lack": {both(failing("openat2", "ENOSYS"), failing("close_range", "EPERM")), "kernel calls", Missing, "tried: ENOSYS, tried: EPERM", "5.9"},
	"oom_score":       {failing("oom_score", "EROFS"), "oom_score_adj", Missing, "EROFS", "remount,rw"},

	"cgroup v1":            {v1, "cgroup version", Degraded, "v1", "unified_cgroup_hierarchy"},
	"cgroup none":          {offer(cgroup.Offer{}, nil), "cgroup version", Missing, "no hierarchy", "mount -t cgroup2"},
	"cgroup unreadable":    {offer(cgroup.Offer{}, unix.EACCES), "cgroup version", Missing, "EACCES", "unified"},
	"cgroup partly":        {offer(cgroup.Offer{Controllers: []string{"cpu"}}, nil), "cgroup version", Missing, "v2, with cpu alone", "unified"},
	"controllers":          {nil, "cgroup controllers", OK, "memory, pids, cpu", ""},
	"controllers v1":       {v1, "cgroup controllers", OK, "cpuacct", ""},
	"no memory controller": {offer(cgroup.Offer{Controllers: []string{"cpu", "pids"}}, nil), "cgroup controllers", Missing, "not there: memory", "cgroup_enable=memory"},
	"no cpu controller":    {offer(cgroup.Offer{Version: 1, Controllers: []string{"memory", "pids", "cpuacct"}}, nil), "cgroup controllers", Missing, "not there: cpu", "unified"},
	"controllers unknown":  {offer(cgroup.Offer{}, unix.EACCES), "cgroup controllers", Missing, "EACCES", "unified"},
	"delegation":           {nil, "cgroup delegation", OK, "/cg (the own group)", ""},
	"no delegation":        {unplaced, "cgroup delegation", Missing, "/cg (the own group): not writable", "sudo cordon setup --user ann --quiet -- cordon doctor"},
	"no delegation, v1":    {both(v1, unplaced), "cgroup delegation", Missing, "not writable", "sudo cordon setup --user ann"},
	"no delegation, root":  {both(asRoot, unplaced), "cgroup delegation", Missing, "not writable", "sudo cordon setup"},
	"no scope":             {both(systemd, refused(cgroup.ErrNoScope)), "cgroup delegation", Missing, "no scope", "loginctl enable-linger ann"},
	"too few to users":     {both(systemd, refused(cgroup.ErrController)), "cgroup delegation", Missing, "is not delegated", "user@.service.d"},
	"io not to users":      {both(systemd, noIO), "io controller", Degraded, "not delegated", "user@.service.d"},
	"io not to the unit":   {both(systemd, noIO, func(h *host, f files) { h.uid, f["etc/passwd"] = 998, service }), "io controller", Degraded, "not delegated", "sudo cordon setup"},
	"delegation unknown": {func(h *host, _ files) {
		h.look = func(string) (cgroup.Place, error) { return cgroup.Place{}, unix.EIO }
	}, "cgroup delegation", Missing, "EIO", "setup"},

	"kill, old kernel":   {without("cg/cgroup.kill"), "cgroup.kill", Degraded, "no cgroup.kill", "5.14"},
	"kill, seen below":   {both(without("cg/cgroup.kill"), with("cg/start/cgroup.kill", "")), "cgroup.kill", OK, "cgroup.kill", ""},
	"kill, v1":           {v1, "cgroup.kill", Degraded, "not with cgroup v1", "unified"},
	"kill, no place":     {unplaced, "cgroup.kill", Degraded, "cannot be seen", "setup"},
	"oom":                {without("cg/memory.oom.group"), "out of memory", Missing, "no memory.oom.group", "4.19"},
	"oom v1":             {v1, "out of memory", OK, "eventfd", ""},
	"oom v1, no counter": {both(v1, with("v1/memory.oom_control", "under_oom 0\n")), "out of memory", Missing, "does not count", "4.13"},
	"oom v1, no event":   {both(v1, without("v1/cgroup.event_control")), "out of memory", Missing, "no cgroup.event_control", "4.13"},
	"oom, no place":      {unplaced, "out of memory", Degraded, "cannot be seen", "setup"},
	"peak":               {without("cg/memory.peak"), "memory.peak", Degraded, "no memory.peak", "5.19"},
	"peak v1":            {v1, "memory.peak", OK, "memory.max_usage_in_bytes", ""},
	"pids peak":          {without("cg/pids.peak"), "pids.peak", Degraded, "no pids.peak", "6.1"},

	"swap counted":        {with("proc/swaps", swapped), "swap", OK, "memory.swap.max; swap is on", ""},
	"swap off":            {without("cg/memory.swap.max"), "swap", OK, "swap is off", ""},
	"swap not in kernel":  {without("cg/memory.swap.max", "proc/swaps"), "swap", OK, "swap is off", ""},
	"swap not counted":    {both(without("cg/memory.swap.max"), with("proc/swaps", swapped)), "swap", Missing, "not counted", "swapoff -a"},
	"swap v1 counted":     {both(v1, with("proc/swaps", swapped)), "swap", OK, "memsw", ""},
	"swap v1 not counted": {both(v1, without("v1/memory.memsw.limit_in_bytes"), with("proc/swaps", swapped)), "swap", Missing, "not counted", "swapoff"},
	"swap, no place":      {both(unplaced, with("proc/swaps", swapped)), "swap", Degraded, "cannot be seen", "setup"},
	"swap unknown":        {both(without("proc/swaps"), with("proc/swaps/not", "")), "swap", Missing, "EISDIR", "swapoff"},
	"io":                  {nil, "io controller", OK, "delegated", ""},
	"io not delegated":    {noIO, "io controller", Degraded, "not delegated", "setup"},
	"io not in kernel":    {func(h *host, _ files) { useV2(h, "cpu", "memory", "pids") }, "io controller", Degraded, "the kernel has none", "CONFIG_BLK_CGROUP"},
	"io v1":               {v1, "io controller", Degraded, "not with cgroup v1", "unified"},
	"io, no place":        {unplaced, "io controller", Degraded, "cannot be seen", "setup"},

	"tun not there": {without("dev/net/tun"), "tun", Degraded, "no /dev/net/tun", "modprobe tun"},
	"tun elsewhere": {both(without("dev/net/tun"), with("dev/net", "")), "tun", Degraded, "ENOTDIR", "chmod 0666"},
	"core to pipe":  {with("proc/sys/kernel/core_pattern", "|/usr/bin/handler %p"), "core dumps", OK, "stopped for jobs", ""},
	"core to sock":  {with("proc/sys/kernel/core_pattern", "@/run/core.sock"), "core dumps", Degraded, "to a socket", "core_pattern=core"},
	"core unknown":  {without("proc/sys/kernel/core_pattern"), "core dumps", Degraded, "ENOENT", "mount"},
}
