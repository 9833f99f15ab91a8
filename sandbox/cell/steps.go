package cell

import "fmt"

// Step is one thing that the child side tries: the operation that a Failure
// names. The numbers are those of cell.h.
type Step uint32

// steps are the names and the stages of all, in the order of cell.h. The
// operations of a mount list are those of a template, too, whose stage they then
// have.
var steps = [...]struct {
	name  string
	stage Stage
}{
	{"", StageNone},
	{"receive_template", StageProtocol},
	{"send_template_done", StageProtocol},
	{"receive_order", StageProtocol},
	{"pipe2", StageClone},
	{"clone3", StageClone},
	{"write_uid_map", StageIDMap},
	{"write_gid_map", StageIDMap},
	{"write_go", StageClone},
	{"send_cell_made", StageProtocol},
	{"send_layer_shown", StageProtocol},
	{"unshare_home", StageNetwork},
	{"open_home", StageNetwork},
	{"unshare_network", StageNetwork},
	{"tcp_rmem", StageNetwork},
	{"tcp_wmem", StageNetwork},
	{"loopback_socket", StageNetwork},
	{"loopback_up", StageNetwork},
	{"open_network", StageNetwork},
	{"join_network", StageNetwork},
	{"leave_network", StageNetwork},
	{"open_own_mounts", StageLayer},
	{"enter_mounts", StageLayer},
	{"move_layer", StageLayer},
	{"leave_mounts", StageLayer},
	{"decode_operation", StageMount},
	{"mount", StageMount},
	{"mount_setattr", StageMount},
	{"open_tree", StageMount},
	{"move_mount", StageMount},
	{"mkdir", StageMount},
	{"chmod", StageMount},
	{"open_file", StageMount},
	{"write_file", StageMount},
	{"fchmod", StageMount},
	{"symlink", StageMount},
	{"chown", StageMount},
	{"chdir_root", StageMount},
	{"pivot_root", StageMount},
	{"detach_old_root", StageMount},
	{"chdir_new_root", StageMount},
	{"open_scratch", StageMount},
	{"enter_cgroup", StageCgroup},
	{"lift_descriptor", StageProtocol},
	{"place_descriptor", StageProtocol},
	{"close_range", StageProtocol},
	{"read_go", StageProtocol},
	{"unshare_cgroup", StageCgroup},
	{"max_user_namespaces", StageUserNS},
	{"max_inotify_instances", StageSysctl},
	{"max_inotify_watches", StageSysctl},
	{"oom_score_adj", StageSysctl},
	{"setgroups", StageIDs},
	{"setresgid", StageIDs},
	{"setresuid", StageIDs},
	{"read_back_ids", StageIDs},
	{"place_scratch", StageMount},
	{"sethostname", StageHostname},
	{"set_dumpable", StageCaps},
	{"drop_bounding", StageCaps},
	{"clear_ambient", StageCaps},
	{"set_securebits", StageCaps},
	{"capset", StageCaps},
	{"sigprocmask", StageCaps},
	{"signalfd", StageCaps},
	{"stat_filter", StageSeccomp},
	{"map_filter", StageSeccomp},
	{"no_new_privs", StageSeccomp},
	{"seccomp", StageSeccomp},
	{"send_ready", StageProtocol},
	{"receive_run", StageProtocol},
	{"map_pack", StageProtocol},
	{"map_pointers", StageProtocol},
	{"decode_pack", StageProtocol},
	{"map_stack", StageSpawn},
	{"clone_job", StageSpawn},
	{"capset_running", StageCaps},
	{"poll", StageEnd},
	{"kill_strays", StageEnd},
	{"send_ended", StageEnd},
	{"send_strays", StageEnd},
	{"job_setsid", StageJobIDs},
	{"job_setresgid", StageJobIDs},
	{"job_setresuid", StageJobIDs},
	{"job_capset", StageJobIDs},
	{"job_read_back_ids", StageJobIDs},
	{"chdir_work", StageFiles},
	{"make_parent", StageFiles},
	{"place_dir", StageFiles},
	{"place_link", StageFiles},
	{"place_file", StageFiles},
	{"write_placed", StageFiles},
	{"fchmod_placed", StageFiles},
	{"chmod_dir", StageFiles},
	{"lift_stdio", StageStdio},
	{"place_stdio", StageStdio},
	{"close_others", StageStdio},
	{"setrlimit", StageRlimit},
	{"job_sigprocmask", StageRlimit},
}

// String is the name used in errors.
func (s Step) String() string {
	if int(s) < len(steps) {
		return steps[s].name
	}
	return fmt.Sprintf("step(%d)", uint32(s))
}
