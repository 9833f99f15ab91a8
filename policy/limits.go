package policy

// Limits are the hard limits of one step (the build or the run) of a job. Every
// field is always set in a Grant: there is no "unlimited". The JSON names carry
// the unit.
type Limits struct {
	CPUMillis   int64   `json:"cpu_ms"`       // CPU time of the whole group, user and system
	WallMillis  int64   `json:"wall_ms"`      // monotonic time from exec to the end of the main process
	MemoryBytes int64   `json:"memory_bytes"` // everything charged to the group; swap is always off
	Pids        int64   `json:"pids"`         // processes and threads of the job at once
	OutputBytes int64   `json:"output_bytes"` // each of stdout and stderr
	DiskBytes   int64   `json:"disk_bytes"`   // scratch (/work, /tmp, /dev/shm together); charged to memory as well
	DiskFiles   int64   `json:"disk_files"`   // inodes of the scratch
	OpenFiles   int64   `json:"open_files"`   // RLIMIT_NOFILE
	FileBytes   int64   `json:"file_bytes"`   // RLIMIT_FSIZE
	StackBytes  int64   `json:"stack_bytes"`  // RLIMIT_STACK
	CPUs        float64 `json:"cpus"`         // CPU rate: 1.5 is one and a half cores' worth
}

// LimitRequest is what a job asks for. Nil means "the policy's default".
type LimitRequest struct {
	CPUMillis   *int64   `json:"cpu_ms,omitempty"`
	WallMillis  *int64   `json:"wall_ms,omitempty"`
	MemoryBytes *int64   `json:"memory_bytes,omitempty"`
	Pids        *int64   `json:"pids,omitempty"`
	OutputBytes *int64   `json:"output_bytes,omitempty"`
	DiskBytes   *int64   `json:"disk_bytes,omitempty"`
	DiskFiles   *int64   `json:"disk_files,omitempty"`
	OpenFiles   *int64   `json:"open_files,omitempty"`
	FileBytes   *int64   `json:"file_bytes,omitempty"`
	StackBytes  *int64   `json:"stack_bytes,omitempty"`
	CPUs        *float64 `json:"cpus,omitempty"`
}
