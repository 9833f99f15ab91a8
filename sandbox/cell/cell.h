// The child side of a sandbox: the fork server of one root template, the init
// (pid 1) of each single-use cell, and the job. Plain C without the Go runtime,
// so that a cell is a few small pages and clones fast.
//
// The message order and every layout here are mirrored in protocol.go, which
// draws them; both sides refuse another version.
#ifndef CORDON_CELL_H
#define CORDON_CELL_H

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "the filter's tables and the protocol are for amd64 and arm64, both little-endian"
#endif

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CELL_VERSION 1u
#define CELL_MESSAGE_MAX 65536u // bytes of one SEQPACKET message
#define CELL_FDS_MAX 20         // descriptors of one message
#define CELL_FURTHER 16         // descriptors of a job behind 0, 1 and 2
#define CELL_RLIMITS 10         // entries of a pack's rlimit table
#define CELL_UID_INIT 0u        // init's id inside the cell
#define CELL_UID_JOB 1000u      // the job's id inside the cell
#define CELL_UID_BEHIND 65536u  // init's id inside a cell whose map has an image's ids
#define CELL_UID_NOBODY 65534u
#define MOST_INSTANCES "16" // of inotify that a cell has, whoever in it has them
#define MOST_WATCHES "8192"

// Where a step failed. The daemon shows the name: protocol.go has the same list.
enum cell_stage {
	STAGE_NONE = 0,
	STAGE_PROTOCOL, // a message that could not be understood
	STAGE_TEMPLATE, // the root template, index = operation
	STAGE_CLONE,    // clone3 of the cell's init
	STAGE_IDMAP,    // uid_map, gid_map
	STAGE_CGROUP,   // entering the cgroup
	STAGE_IDS,      // init's own ids and groups
	STAGE_MOUNT,    // the cell's own mounts, index = operation
	STAGE_NETWORK,  // the network namespace
	STAGE_HOSTNAME,
	STAGE_USERNS,   // forbidding nested user namespaces
	STAGE_SYSCTL,   // limits of inotify, and the OOM score
	STAGE_CAPS,     // bounding set, securebits, capabilities
	STAGE_SECCOMP,  // no_new_privs and the filter
	STAGE_LAYER,    // showing a waiting cell a tree of the job's
	STAGE_SPAWN,    // starting the job's process
	STAGE_JOB_IDS,
	STAGE_FILES,    // index = file
	STAGE_RLIMIT,   // index = limit
	STAGE_STDIO,
	STAGE_VIEW,     // showing what the job's process sees of itself
	STAGE_EXEC,     // set-up was complete, the kernel refused the program
	STAGE_END,      // watching the program and clearing up behind it
	STAGE_COUNT
};

// What was tried. The daemon shows the name; a test makes each fail in turn, by
// this list (fault.c).
enum cell_step {
	STEP_NONE = 0,
	// server.c
	STEP_RECEIVE_TEMPLATE, STEP_SEND_TEMPLATE_DONE, STEP_RECEIVE_ORDER, STEP_PIPE2, STEP_CLONE3, STEP_WRITE_UID_MAP,
	STEP_WRITE_GID_MAP, STEP_WRITE_GO, STEP_SEND_CELL_MADE, STEP_SEND_LAYER_SHOWN,
	// owner.c
	STEP_BOUND_INSTANCES, STEP_BOUND_WATCHES, STEP_TAKE_OWNER, STEP_READ_BACK_OWNER, STEP_LEAVE_OWNER,
	// network.c
	STEP_UNSHARE_HOME, STEP_OPEN_HOME, STEP_UNSHARE_NETWORK, STEP_TCP_RMEM, STEP_TCP_WMEM, STEP_LOOPBACK_SOCKET, STEP_LOOPBACK_UP,
	STEP_OPEN_NETWORK, STEP_JOIN_NETWORK, STEP_LEAVE_NETWORK,
	// layer.c
	STEP_OPEN_OWN_MOUNTS, STEP_ENTER_MOUNTS, STEP_MOVE_LAYER, STEP_LEAVE_MOUNTS, STEP_DECODE_PATHS, STEP_CHDIR_PLACES, STEP_TAKE_FILE_IDS,
	STEP_MAKE_PLACE_PARENT, STEP_MAKE_PLACE, STEP_MOVE_FILE,
	// mounts.c
	STEP_DECODE_OPERATION, STEP_MOUNT, STEP_MOUNT_SETATTR, STEP_OPEN_TREE, STEP_MOVE_MOUNT, STEP_MKDIR, STEP_CHMOD,
	STEP_OPEN_FILE, STEP_WRITE_FILE, STEP_FCHMOD, STEP_SYMLINK, STEP_CHOWN, STEP_CHDIR_ROOT, STEP_PIVOT_ROOT,
	STEP_DETACH_OLD_ROOT, STEP_CHDIR_NEW_ROOT, STEP_OPEN_SCRATCH,
	// init.c
	STEP_ENTER_CGROUP, STEP_LIFT_DESCRIPTOR, STEP_PLACE_DESCRIPTOR, STEP_CLOSE_RANGE, STEP_READ_GO, STEP_UNSHARE_CGROUP,
	STEP_MAX_USER_NAMESPACES, STEP_MAX_INOTIFY_INSTANCES, STEP_MAX_INOTIFY_WATCHES, STEP_OOM_SCORE_ADJ, STEP_SETGROUPS, STEP_SETRESGID, STEP_SETRESUID, STEP_READ_BACK_IDS,
	STEP_PLACE_SCRATCH, STEP_SETHOSTNAME,
	STEP_SET_DUMPABLE, STEP_DROP_BOUNDING, STEP_CLEAR_AMBIENT, STEP_SET_SECUREBITS, STEP_CAPSET, STEP_SIGPROCMASK,
	STEP_SIGNALFD, STEP_STAT_FILTER, STEP_MAP_FILTER, STEP_NO_NEW_PRIVS, STEP_SECCOMP, STEP_SEND_READY,
	STEP_RECEIVE_RUN, STEP_TERMINAL_SETSID, STEP_TAKE_TERMINAL, STEP_MAP_PACK, STEP_MAP_POINTERS, STEP_DECODE_PACK, STEP_MAP_STACK, STEP_CLONE_JOB,
	STEP_CAPSET_RUNNING, STEP_POLL, STEP_RECEIVE_SIGNAL, STEP_KILL_STRAYS, STEP_SEND_ENDED, STEP_SEND_STRAYS,
	// job.c
	STEP_JOB_SETSID, STEP_JOB_SETPGID, STEP_CHOWN_WORK, STEP_JOB_SETRESGID, STEP_JOB_SETRESUID, STEP_JOB_CAPSET, STEP_JOB_READ_BACK_IDS, STEP_CHDIR_WORK,
	STEP_MAKE_PARENT, STEP_PLACE_DIR, STEP_PLACE_LINK, STEP_PLACE_FILE, STEP_WRITE_PLACED, STEP_FCHMOD_PLACED,
	STEP_CHMOD_DIR, STEP_LIFT_STDIO, STEP_PLACE_STDIO, STEP_CLOSE_OTHERS, STEP_FOREGROUND, STEP_SETRLIMIT, STEP_JOB_SIGPROCMASK,
	// view.c
	STEP_LIFT_VIEW, STEP_TELL_VIEW, STEP_AWAIT_VIEWED,
	STEP_COUNT
};

// The step that is being tried: what failed, when something does. The job's
// process shares it with its init.
extern uint32_t cell_step;

// TRY does one step. A build with CORDON_FAILPOINTS, which only tests make, has
// it fail instead when the daemon has asked for that (fault.c).
#define TRY(step, call) (cell_step = (step), FAULT(step) ? -1 : (call))
#define TRY_MAP(step, call) (cell_step = (step), FAULT(step) ? MAP_FAILED : (call))
#ifdef CORDON_FAILPOINTS
void arm_fault(int64_t flags);
int fault(uint32_t step);
#define FAULT(step) fault(step)
#else
#define arm_fault(flags) ((void)(flags))
#define FAULT(step) 0
#endif

enum cell_kind {
	MSG_TEMPLATE = 1, // daemon -> server: operations
	MSG_TEMPLATE_DONE,
	MSG_CELL,      // daemon -> server: make a cell
	MSG_CELL_MADE, // server -> daemon: pid, pidfd, network namespace where it is new
	MSG_READY,     // init -> daemon: scratch fd, filter listener
	MSG_RUN,       // daemon -> init: pack, stdin, stdout, stderr, further ones, a socket for the job's view where that is wanted
	MSG_FAILED,    // init -> daemon: the job never ran
	MSG_ENDED,     // init -> daemon: the main process ended
	MSG_STRAYS,    // init -> daemon: what was still alive then, if anything was
	MSG_LAYER,     // daemon -> server: pidfd of a waiting init, a tree to be shown to its cell
	MSG_LAYER_SHOWN,
	MSG_FILES,     // daemon -> server: pidfd of a waiting init, files to be shown to its cell; behind the head their paths,
	               // each ends in NUL. The answer is MSG_LAYER_SHOWN
	MSG_SIGNAL,    // daemon -> init: a signal for the process group of the job's main process
};

// Every message starts with this. All integers are little endian.
struct cell_head {
	uint32_t version;
	uint32_t kind;
	uint32_t stage; // of a failure, else 0
	uint32_t index; // of the operation, file or limit that failed; MSG_ENDED: CELL_NO_STRAYS or 0;
	                // MSG_CELL: first id of the files of an image
	int32_t error;  // errno of the failure, else 0
	uint32_t pid;   // MSG_CELL_MADE: host pid of init; MSG_CELL: how many ids files of images have
	int64_t a;      // of a failure: enum cell_step; MSG_CELL: first id of the range; MSG_FILES: the job's id outside; MSG_ENDED: wait status;
	                // MSG_STRAYS: count; MSG_RUN: the numbers of the further descriptors, a bit for each;
	                // MSG_SIGNAL: its number
	int64_t b;      // MSG_CELL: cgroup fds; MSG_ENDED: CLOCK_MONOTONIC ns at the end; MSG_RUN: pack size
	int64_t c;      // MSG_CELL, MSG_RUN: flags; MSG_ENDED: maximum resident set of main, bytes
};

#define CELL_NO_DIR 1u // index of STAGE_EXEC: the directory in which the program was to start
#define CELL_NO_STRAYS 1u // index of a MSG_ENDED after which no MSG_STRAYS comes

// Flags of MSG_CELL.
#define CELL_CGROUP_V2 1  // the one cgroup fd is a directory to be born into
#define CELL_SINGLE_ID 2  // no subordinate range: init and job share the service user's id
#define CELL_NETWORK 4    // the last descriptor is a network namespace to be used; else one is made
#define CELL_IMAGE 8      // the map has the ids of an image's files
#define CELL_RANGE 16     // and the job may have any of them, and be root among them
#define CELL_FLAGS (CELL_CGROUP_V2 | CELL_SINGLE_ID | CELL_NETWORK | CELL_IMAGE | CELL_RANGE)

// Flags of MSG_RUN.
#define CELL_TERMINAL 1 // descriptors 0, 1 and 2 are a terminal, which the job controls
#define CELL_VIEW 2     // the last descriptor is a stream socket, on which the job's process tells what it sees

// What the job's process tells on it: heads, each with so many bytes behind it. Those of one
// thing belong together. At VIEW_END it waits for one byte.
struct view_head {
	uint32_t what;
	int32_t error; // errno: there is no more of it
	uint32_t size;
};
#define VIEW_END UINT32_MAX

// Operations that build a mount tree, done one by one; the failing index is told.
enum cell_op {
	OP_TMPFS = 1, // target, data (options), flags
	OP_BIND,      // source, target, flags: MOUNT_ATTR_*, recursive when mode != 0
	OP_MKDIR,     // target, mode
	OP_FILE,      // target, mode, data (content)
	OP_SYMLINK,   // source (what it points to), target
	OP_PROC,      // target, flags: MOUNT_ATTR_*
	OP_OVERLAY,   // target, data (options), flags
	OP_ATTR,      // target, flags: MOUNT_ATTR_* to add, recursive when mode != 0
	OP_PIVOT,     // target becomes /, the old root is gone
	OP_CHOWN,     // target, mode: owner and group
	OP_SCRATCH,   // target: keep an fd of this directory
};

struct cell_op_head {
	uint32_t op;
	uint32_t mode;
	uint64_t flags;
	uint32_t source_len; // each string follows in this order, each ends in NUL,
	uint32_t target_len; // the lengths include it
	uint32_t data_len;
	uint32_t zero;
};

// A decoded operation: pointers into the message.
struct cell_operation {
	uint32_t op, mode;
	uint64_t flags;
	const char *source, *target, *data;
	size_t data_len; // without the NUL
};

// The pack: a memfd written by the daemon, mapped by init. It holds all that is
// known about the job only when it arrives.
struct pack_head {
	uint32_t version;
	uint32_t umask;
	int64_t exec_ns;      // written by the job's process right before execve
	uint32_t args, envs;  // numbers of strings
	uint32_t files;
	uint32_t place_us;    // its CPU time until then, microseconds
	uint64_t strings_off, strings_len; // args then envs, each ends in NUL
	uint64_t files_off;                // struct pack_file[files]
	struct {
		uint32_t resource, set;
		uint64_t soft, hard;
	} rlimits[CELL_RLIMITS];
	uint32_t uid, gid;         // the job's ids inside; CELL_UID_JOB but for a job that may choose
	uint64_t dir_off, dir_len; // where it starts; dir_len includes the NUL
};

enum pack_file_type { PACK_REGULAR = 0, PACK_DIR, PACK_SYMLINK };

struct pack_file {
	uint32_t type, mode;
	uint64_t path_off, path_len; // path_len includes the NUL
	uint64_t data_off, data_len; // content, or a link's target (data_len includes the NUL)
};

// A checked view of a mapped pack.
struct pack {
	struct pack_head *head;
	const uint8_t *base;
	size_t size;
	char **argv, **envp; // into the pack; NULL-terminated
	const struct pack_file *files;
	const char *dir;
};

// decode.c: no system calls, every length checked; fuzzed.
int decode_paths(const uint8_t *message, size_t size, const char **paths, int most);
int decode_operation(const uint8_t *message, size_t size, size_t *offset, struct cell_operation *out);
size_t pack_pointers(const struct pack_head *head);
int decode_pack(uint8_t *base, size_t size, char **pointers, size_t pointer_count, struct pack *out);
int decode_numbers(int64_t bits, int count, int *numbers);

// wire.c
ssize_t receive_message(int socket, void *buffer, size_t size, int *fds, int *fd_count);
int send_message(int socket, const struct cell_head *head, const int *fds, int fd_count);
int send_failure(int socket, uint32_t kind, uint32_t stage, uint32_t index, int error);

int write_text(const char *path, const char *text);

// network.c
int make_home(void);
int enter_network(int given, int *made);
int leave_network(void);

// owner.c
int bound_owner(void);
int take_owner(uid_t id);
int leave_owner(void);

// layer.c
int remember_mounts(void);
int show_layer(int pidfd, int tree);
int show_files(int pidfd, uid_t id, const char *const *paths, const int *trees, int count, uint32_t *index);
int leave_mounts(void);

// mounts.c
int run_operations(const uint8_t *ops, size_t size, uint32_t *index, int *scratch);

// init.c
struct cell_order {
	int control; // SEQPACKET to the daemon
	int filter;  // memfd with the compiled filter
	int go;      // read end of a pipe: one byte when the ids are in place
	const int *tasks; // cgroup v1: files by which a thread enters a group
	int tasks_count;
	uint64_t flags;
	const uint8_t *ops; // the cell's own mount operations
	size_t ops_size;
};
_Noreturn void init_main(const struct cell_order *order);

// lockdown.c
int lock_capabilities(uint64_t flags);
int keep_capabilities(uint64_t mask);
extern const uint64_t root_capabilities;
int install_filter(int memfd, int *listener);

// job.c
struct job_order {
	struct pack *pack;
	int count;                       // of the descriptors
	int given[3 + CELL_FURTHER];     // as they came
	int numbers[3 + CELL_FURTHER];   // under which the job has them, in their order; the first are 0, 1 and 2
	uint64_t flags;
	int terminal;                    // 0, 1 and 2 are one
	int view;                        // where to tell what is seen; -1: nobody wants to know
	// Written by the job's process, which shares this memory until it execs.
	volatile uint32_t stage, index;
	volatile int error;
};
int make_parents(uint32_t step, const char *path);
int job_process(void *order);

// view.c
int lift_view(struct job_order *order);
int show_view(const struct job_order *order);

// server.c
_Noreturn void server_main(void);

#endif
