package cell

import (
	"encoding/binary"
	"fmt"
	"strings"
	"syscall"
)

// The order of messages. Each line is one SEQPACKET packet; [..] are descriptors.
//
//	daemon                                fork server            init (pid 1)
//	  | -- template: operations ----------> |                        |
//	  | <- template done ------------------ |  lives in the root now |
//	  |                                     |                        |
//	  | -- cell [control, filter, cgroup,   |                        |
//	  |          network if there is one] > |                        |
//	  |                                     | -- clone3, maps, go -> |
//	  | <- cell made [pidfd, new network] - |                        | mounts,
//	  | <- ready [scratch, listener] ------------------------------- | caps, filter
//	  |          … warm: nobody waits …                              |
//	  | -- layer [pidfd, tree] -----------> | where the job has one
//	  | <- layer shown -------------------- |                        |
//	  | -- files [pidfd, file …] paths ---> | a few at a time        |
//	  | <- layer shown -------------------- |                        |
//	  | -- run [pack, stdin, stdout, stderr, further ones, view] --> | vfork, exec; before that, where the
//	  |                                                              | view is wanted: it is told there, and waits
//	  | -- signal ------------------------------------------------> | while the job runs
//	  | <- failed (the job never ran) | ended (wait status, time) -- |
//	  | <- strays (how many were still alive, if any) -------------- |
//	  | <- end of file, pidfd readable ----------------------------- |
//
// A job with a terminal: init ends only when the daemon has read what was printed there, and lets go.
//
// At any moment the end of file of the daemon's side ends init, and with it
// every process of the cell.
const (
	protocolVersion = 1
	messageMax      = 65536
	headSize        = 48
	packHeadSize    = 296
	packFileSize    = 40
	opHeadSize      = 32
	maxFDs          = 20 // of one message
)

type messageKind uint32

const (
	msgTemplate messageKind = iota + 1
	msgTemplateDone
	msgCell
	msgCellMade
	msgReady
	msgRun
	msgFailed
	msgEnded
	msgStrays
	msgLayer
	msgLayerShown
	msgFiles
	msgSignal
)

// Flags of msgCell.
const (
	flagCgroupV2 = 1
	flagSingleID = 2
	flagNetwork  = 4
)

// Flags of msgRun.
const (
	flagTerminal = 1
	flagView     = 2
)

// noStrays is the index of a msgEnded after which no msgStrays comes.
const noStrays = 1

// Stage names where a step of the child side failed.
type Stage uint32

// The stages in the order of cell.h.
const (
	StageNone Stage = iota
	StageProtocol
	StageTemplate
	StageClone
	StageIDMap
	StageCgroup
	StageIDs
	StageMount
	StageNetwork
	StageHostname
	StageUserNS
	StageSysctl
	StageCaps
	StageSeccomp
	StageLayer
	StageSpawn
	StageJobIDs
	StageFiles
	StageRlimit
	StageStdio
	StageView
	StageExec
	StageEnd
	stageCount
)

var stageNames = [stageCount]string{"none", "protocol", "template", "clone", "idmap", "cgroup", "ids",
	"mount", "network", "hostname", "userns", "sysctl", "caps", "seccomp", "layer", "spawn", "job-ids", "files", "rlimit",
	"stdio", "view", "exec", "end"}

// String is the name used in errors and documents.
func (s Stage) String() string {
	if s < stageCount {
		return stageNames[s]
	}
	return fmt.Sprintf("stage(%d)", uint32(s))
}

// Failure is a step of the child side that failed. When Stage is StageExec the
// set-up was complete and the kernel refused the program.
type Failure struct {
	Stage  Stage
	Step   Step          // what was tried
	Index  int           // of the operation, file or limit, where there are several
	Detail string        // what the index stands for, "" when unknown
	Errno  syscall.Errno // 0 when the step was killed rather than refused
}

// Op names what was tried, and on what.
func (f *Failure) Op() string {
	s := f.Step.String()
	if f.Detail != "" {
		s += " (" + f.Detail + ")"
	}
	return strings.TrimSpace(s)
}

// Error names stage, operation and errno.
func (f *Failure) Error() string {
	s := "cell stage " + f.Stage.String()
	if op := f.Op(); op != "" {
		s += ": " + op
	}
	if f.Errno != 0 {
		return s + ": " + f.Errno.Error()
	}
	return s + ": interrupted"
}

// Unwrap is the errno.
func (f *Failure) Unwrap() error { return f.Errno }

// head mirrors struct cell_head.
type head struct {
	kind    messageKind
	stage   Stage
	index   uint32
	errno   int32
	pid     uint32
	a, b, c int64
}

func (h *head) encode(to []byte) []byte {
	e := binary.LittleEndian
	to = e.AppendUint32(to, protocolVersion)
	to = e.AppendUint32(to, uint32(h.kind))
	to = e.AppendUint32(to, uint32(h.stage))
	to = e.AppendUint32(to, h.index)
	to = e.AppendUint32(to, uint32(h.errno))
	to = e.AppendUint32(to, h.pid)
	to = e.AppendUint64(to, uint64(h.a))
	to = e.AppendUint64(to, uint64(h.b))
	return e.AppendUint64(to, uint64(h.c))
}

func decodeHead(b []byte) (head, error) {
	e := binary.LittleEndian
	if len(b) != headSize {
		return head{}, fmt.Errorf("cell message of %d bytes, want %d", len(b), headSize)
	}
	if v := e.Uint32(b); v != protocolVersion {
		return head{}, fmt.Errorf("cell message of version %d, want %d", v, protocolVersion)
	}
	return head{
		kind: messageKind(e.Uint32(b[4:])), stage: Stage(e.Uint32(b[8:])), index: e.Uint32(b[12:]),
		errno: int32(e.Uint32(b[16:])), pid: e.Uint32(b[20:]),
		a: int64(e.Uint64(b[24:])), b: int64(e.Uint64(b[32:])), c: int64(e.Uint64(b[40:])),
	}, nil
}

// failure is the Failure a head tells of, or nil.
func (h *head) failure() *Failure {
	if h.stage == StageNone {
		return nil
	}
	return &Failure{Stage: h.stage, Step: Step(h.a), Index: int(h.index), Errno: syscall.Errno(h.errno)}
}
