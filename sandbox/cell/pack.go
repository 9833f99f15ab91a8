package cell

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Rlimit is one resource limit of the job's process.
type Rlimit struct {
	Resource   int // unix.RLIMIT_*
	Soft, Hard uint64
}

// Entry is one file placed below /work before the exec.
type Entry struct {
	Path   string // relative and clean
	Mode   uint32 // permission bits
	Kind   EntryKind
	Data   []byte // content of a regular file
	Target string // of a symbolic link
}

// EntryKind is the type of an Entry.
type EntryKind uint32

// The kinds of Entry. Symbolic links must come last.
const (
	Regular EntryKind = iota
	Dir
	Symlink
)

// Program is what a cell runs.
type Program struct {
	Args    []string
	Env     []string
	Entries []Entry
	Rlimits []Rlimit
	Umask   uint32
	Dir     string // where it starts, absolute; "": /work
	User    *User  // nil: JobID. Only a job with a range of ids has others
}

// User are a job's ids inside its cell.
type User struct{ UID, GID uint32 }

// JobID is the id of a job inside its cell that has one of its own.
const JobID = 1000

const maxRlimits = 10

// pack is a Program laid out in a memfd that init maps. The daemon keeps it open
// to read the time of the exec from it.
type pack struct {
	file *os.File
	size int64

	mu          sync.Mutex
	exec, place int64 // see begun
}

// newPack lays the program out: head, strings, file table, contents.
func newPack(p *Program) (*pack, error) {
	if len(p.Rlimits) > maxRlimits {
		return nil, fmt.Errorf("%d rlimits, at most %d", len(p.Rlimits), maxRlimits)
	}
	head, err := layout(p)
	if err != nil {
		return nil, err
	}
	file, err := memfd(pointMakePack, "cordon-pack")
	if err != nil {
		return nil, err
	}
	size := int64(len(head))
	if err = failing(pointWritePack); err == nil {
		_, err = file.Write(head)
	}
	for i := 0; err == nil && i < len(p.Entries); i++ {
		if e := &p.Entries[i]; e.Kind == Regular {
			_, err = file.Write(e.Data)
			size += int64(len(e.Data))
		}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("write pack: %w", err)
	}
	return &pack{file: file, size: size}, nil
}

// layout is everything before the contents of regular files.
func layout(p *Program) ([]byte, error) {
	e := binary.LittleEndian
	b := make([]byte, packHeadSize, 4096)
	for _, list := range [][]string{p.Args, p.Env} {
		for _, s := range list {
			b = append(append(b, s...), 0)
		}
	}
	stringsEnd := len(b)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	table := len(b)
	b = append(b, make([]byte, packFileSize*len(p.Entries))...)
	for i := range p.Entries { // paths and link targets
		f := &p.Entries[i]
		at := b[table+i*packFileSize:]
		e.PutUint32(at, uint32(f.Kind))
		e.PutUint32(at[4:], f.Mode)
		e.PutUint64(at[8:], uint64(len(b)))
		e.PutUint64(at[16:], uint64(len(f.Path)+1))
		b = append(append(b, f.Path...), 0)
		if f.Kind == Symlink {
			at = b[table+i*packFileSize:]
			e.PutUint64(at[24:], uint64(len(b)))
			e.PutUint64(at[32:], uint64(len(f.Target)+1))
			b = append(append(b, f.Target...), 0)
		}
	}
	dir := len(b)
	b = append(append(b, cmp.Or(p.Dir, "/work")...), 0)
	e.PutUint64(b[304:], uint64(dir))
	e.PutUint64(b[312:], uint64(len(b)-dir))
	content := uint64(len(b))
	for i := range p.Entries {
		if f := &p.Entries[i]; f.Kind == Regular {
			at := b[table+i*packFileSize:]
			e.PutUint64(at[24:], content)
			e.PutUint64(at[32:], uint64(len(f.Data)))
			content += uint64(len(f.Data))
		}
	}
	putHead(b, p, stringsEnd, table)
	return b, nil
}

func putHead(b []byte, p *Program, stringsEnd, table int) {
	e := binary.LittleEndian
	e.PutUint32(b, protocolVersion)
	e.PutUint32(b[4:], p.Umask)
	e.PutUint32(b[16:], uint32(len(p.Args)))
	e.PutUint32(b[20:], uint32(len(p.Env)))
	e.PutUint32(b[24:], uint32(len(p.Entries)))
	e.PutUint64(b[32:], packHeadSize)
	e.PutUint64(b[40:], uint64(stringsEnd-packHeadSize))
	e.PutUint64(b[48:], uint64(table))
	user := User{JobID, JobID}
	if p.User != nil {
		user = *p.User
	}
	e.PutUint32(b[296:], user.UID)
	e.PutUint32(b[300:], user.GID)
	for i, r := range p.Rlimits {
		at := b[56+24*i:]
		e.PutUint32(at, uint32(r.Resource))
		e.PutUint32(at[4:], 1)
		e.PutUint64(at[8:], r.Soft)
		e.PutUint64(at[16:], r.Hard)
	}
}

// begun reads what the job's process wrote right before it called execve: the
// CLOCK_MONOTONIC time, 0 when it has not yet, and the CPU time that it had used by
// then, for the files it placed. Nobody writes there afterwards.
func (p *pack) begun() (exec, place int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exec == 0 {
		var b [32]byte
		if n, err := unix.Pread(int(p.file.Fd()), b[:], 0); err == nil && n == len(b) {
			p.exec = int64(binary.LittleEndian.Uint64(b[8:]))
			p.place = int64(binary.LittleEndian.Uint32(b[28:])) * 1000
		}
	}
	if p.exec == 0 {
		return 0, 0
	}
	return p.exec, p.place
}

// memfd is an anonymous file, not executable where the kernel can say so.
func memfd(p point, name string) (*os.File, error) {
	if err := failing(p); err != nil {
		return nil, fmt.Errorf("memfd_create %s: %w", name, err)
	}
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Input is a file of bytes that a job can read as its standard input: sealed, and
// opened for reading only, so that nothing can be left in it.
func Input(data []byte) (*os.File, error) {
	return input(func(w *os.File) error {
		_, err := w.Write(data)
		return err
	})
}

// InputFrom is Input with the bytes of a file, which the kernel copies: who has the
// same file as input shares nothing by it, not even locks.
func InputFrom(from *os.File, size int64) (*os.File, error) {
	return input(func(w *os.File) error {
		for at := int64(0); at < size; {
			n, err := unix.Sendfile(int(w.Fd()), int(from.Fd()), &at, int(min(size-at, 1<<30)))
			if err != nil && err != unix.EINTR {
				return os.NewSyscallError("sendfile", err)
			}
			if n == 0 && err == nil {
				return io.ErrUnexpectedEOF
			}
		}
		return nil
	})
}

func input(write func(*os.File) error) (*os.File, error) {
	w, err := memfd(pointMakeInput, "stdin")
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err = failing(pointWriteInput); err == nil {
		err = write(w)
	}
	if err != nil {
		return nil, fmt.Errorf("write stdin: %w", err)
	}
	// Nobody has it mapped: so this seal forbids as much as F_SEAL_WRITE, and need not wait until
	// nobody holds a page of it, which with a large file fails now and then (EBUSY).
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE
	if err = failing(pointSealInput); err == nil {
		_, err = unix.FcntlInt(w.Fd(), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		return nil, fmt.Errorf("seal stdin: %w", err)
	}
	fd := -1
	if err = failing(pointReopenInput); err == nil {
		fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", w.Fd()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("reopen stdin: %w", err)
	}
	return os.NewFile(uintptr(fd), "stdin"), nil
}
