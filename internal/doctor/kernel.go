package doctor

import "fmt"

// Several rows end in these.
const (
	noJob        = "no job can run"
	newerKernel  = "boot a newer kernel: Linux %s or later"
	outerSandbox = "this process is itself in a sandbox with a system call filter; start that one with, for example: docker run --security-opt seccomp=unconfined"
)

// setting is a command that changes a kernel setting now and for good.
func setting(name, value string) string {
	return fmt.Sprintf("echo %s=%s | sudo tee /etc/sysctl.d/60-cordon.conf && sudo sysctl --system", name, value)
}

// filtered: a system call filter of somebody else is on this process.
func (h *host) filtered() bool { return h.status("Seccomp") == "2" }

// kernelRow tells the version; what the kernel can do is tried by the others.
func kernelRow(h *host) Row {
	r := Row{Name: "kernel", Lost: "nothing by itself: the rows below are tried, not read from the version"}
	release, err := h.read("/proc/sys/kernel/osrelease")
	if err != nil {
		r.Status, r.Found, r.Fix = Degraded, errText(err), "mount /proc: sudo mount -t proc proc /proc"
		return r
	}
	r.Status, r.Found = OK, release
	return r
}

// userRow is missing for root, whatever else there is: root does not run jobs.
func userRow(h *host) Row {
	a, found := h.runner()
	r := Row{Name: "service user", Needed: true, Status: OK, Lost: "a break-out from a job would be root's",
		Found: fmt.Sprintf("%s (uid %d)", a.name, a.uid)}
	switch {
	case h.uid == 0 && found:
		r.Status, r.Fix = Missing, "sudo cordon setup --quiet -- cordon doctor"
		r.Found = fmt.Sprintf("root asks, jobs are run by %s (uid %d): ask as that user", a.name, a.uid)
	case h.uid == 0:
		r.Status, r.Fix = Missing, "sudo cordon setup && sudo cordon setup --quiet -- cordon doctor"
		r.Found = "root asks, and there is no user " + serviceUser + " yet"
	}
	return r
}

// usernsRow joins the trial and the switches, which bind everybody but root.
func usernsRow(h *host) Row {
	o := h.outcomes["userns"]
	r := Row{Name: "user namespaces", Needed: true, Status: OK, Found: o.text(), Lost: noJob}
	allowed, exists, err := h.sysctl("kernel/unprivileged_userns_clone")
	switch {
	case err != nil:
		r.Status, r.Found, r.Fix = Missing, "kernel.unprivileged_userns_clone: "+errText(err), setting("kernel.unprivileged_userns_clone", "1")
	case exists && allowed == 0:
		r.Status, r.Fix = Missing, setting("kernel.unprivileged_userns_clone", "1")
		r.Found = "forbidden by kernel.unprivileged_userns_clone=0"
	case o.ok():
	case h.restricted():
		r.Status, r.Fix = Missing, apparmorFix
	case o.Errno == "ENOSPC":
		r.Status, r.Fix = Missing, setting("user.max_user_namespaces", "15000")
	case h.filtered():
		r.Status, r.Fix = Missing, outerSandbox
	default:
		r.Status, r.Fix = Missing, "boot a kernel built with CONFIG_USER_NS=y"
	}
	return r
}

// A cell takes a user namespace, a warm one too; the daemon takes one more.
const fewNamespaces = 256

func usernsLimitRow(h *host) Row {
	r := Row{Name: "user namespace limit", Needed: true, Status: OK, Lost: "no more jobs at once than the limit"}
	n, exists, err := h.sysctl("user/max_user_namespaces")
	r.Found, r.Fix = fmt.Sprint(n), setting("user.max_user_namespaces", "15000")
	switch {
	case err != nil:
		r.Status, r.Found = Missing, "user.max_user_namespaces: "+errText(err)
	case !exists:
		r.Status, r.Found, r.Fix = Missing, "no user.max_user_namespaces", "boot a kernel built with CONFIG_USER_NS=y"
	case n < 3: // the daemon's, the fork server's cell, and one to spare for a build
		r.Status = Missing
	case n < fewNamespaces:
		r.Status = Degraded
	}
	return r
}

const (
	apparmorProfile = "/etc/apparmor.d/cordon"
	apparmorFix     = "sudo cp deploy/apparmor/cordon /etc/apparmor.d/cordon && sudo apparmor_parser -r /etc/apparmor.d/cordon"
)

// restricted: Ubuntu 23.10 and later take the capabilities in a user namespace
// from every program without an AppArmor profile that says "userns".
func (h *host) restricted() bool {
	n, exists, err := h.sysctl("kernel/apparmor_restrict_unprivileged_userns")
	return err == nil && exists && n != 0
}

// apparmorRow never tells anybody to turn the restriction off for all programs.
func apparmorRow(h *host) Row {
	r := Row{Name: "AppArmor", Needed: true, Status: OK, Found: "does not restrict user namespaces", Lost: noJob, Fix: apparmorFix}
	if !h.restricted() {
		return r
	}
	_, err := h.read(apparmorProfile)
	switch tried := h.outcomes["userns"].ok(); {
	case h.uid == 0 && !h.inside && err != nil: // the restriction does not bind root, so the trial says nothing
		r.Status, r.Found = Missing, "restricts user namespaces, and "+apparmorProfile+" is not there"
	case !tried:
		r.Status, r.Found = Missing, "restricts user namespaces; no loaded profile lets this program have them"
	default:
		r.Found = "restricts user namespaces; this program may have them"
	}
	return r
}
