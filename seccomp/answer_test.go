package seccomp

import (
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAnswer(t *testing.T) {
	amd64, arm64 := &Program{Arch: AMD64}, &Program{Arch: ARM64}
	for name, c := range map[string]struct {
		program *Program
		audit   uint32
		number  int
		args    [6]uint64
		want    answer
	}{
		"i386":               {amd64, 0x40000003, 20, [6]uint64{}, answer{"foreign architecture 0x40000003, call 20", unix.ENOSYS, true}},
		"the other one":      {amd64, ARM64.Audit, 1, [6]uint64{}, answer{"foreign architecture 0xc00000b7, call 1", unix.ENOSYS, true}},
		"arm":                {arm64, 0x40000028, 1, [6]uint64{}, answer{"foreign architecture 0x40000028, call 1", unix.ENOSYS, true}},
		"x32":                {amd64, AMD64.Audit, 0x40000000 | 39, [6]uint64{}, answer{"foreign architecture x32, call 39", unix.ENOSYS, true}},
		"x32, last":          {amd64, AMD64.Audit, 0x7fffffff, [6]uint64{}, answer{"foreign architecture x32, call 1073741823", unix.ENOSYS, true}},
		"no x32 on arm64":    {arm64, ARM64.Audit, 0x40000000 | 39, [6]uint64{}, answer{"unknown call 1073741863", unix.ENOSYS, false}},
		"minus one":          {amd64, AMD64.Audit, -1, [6]uint64{}, answer{"unknown call -1", unix.ENOSYS, false}},
		"minus one on arm64": {arm64, ARM64.Audit, -1, [6]uint64{}, answer{"unknown call -1", unix.ENOSYS, false}},
		"lowest":             {amd64, AMD64.Audit, -1 << 31, [6]uint64{}, answer{"unknown call -2147483648", unix.ENOSYS, false}},
		"unknown":            {amd64, AMD64.Audit, 600, [6]uint64{}, answer{"unknown call 600", unix.ENOSYS, false}},
		"privileged":         {amd64, AMD64.Audit, 101, [6]uint64{}, answer{"ptrace", unix.EPERM, false}},
		"absent":             {arm64, ARM64.Audit, 425, [6]uint64{}, answer{"io_uring_setup", unix.ENOSYS, false}},
		"family":             {amd64, AMD64.Audit, 41, [6]uint64{40, 1}, answer{"socket (address family 40)", unix.EAFNOSUPPORT, false}},
		"family, low half":   {amd64, AMD64.Audit, 41, [6]uint64{upper | 40, 1}, answer{"socket (address family 40)", unix.EAFNOSUPPORT, false}},
		"pair":               {arm64, ARM64.Audit, 199, [6]uint64{2, 1}, answer{"socketpair (address family 2)", unix.EAFNOSUPPORT, false}},
		"raw":                {amd64, AMD64.Audit, 41, [6]uint64{2, 3}, answer{"socket", unix.EPERM, false}},
		"ioctl":              {amd64, AMD64.Audit, 16, [6]uint64{0, upper | 0x5412}, answer{"ioctl (request 0x5412)", unix.ENOTTY, false}},
		"fcntl":              {arm64, ARM64.Audit, 25, [6]uint64{3, upper | unix.F_NOTIFY}, answer{"fcntl (command 1026)", unix.EINVAL, false}},
		"prctl":              {arm64, ARM64.Audit, 167, [6]uint64{upper | 35}, answer{"prctl (option 35)", unix.EINVAL, false}},
	} {
		if got := c.program.answer(c.audit, c.number, c.args); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// TestNewerThanTables: a call that only a newer libseccomp has a name for is
// answered as one without a name. The reviewed numbers and the tables are of the
// same age.
func TestNewerThanTables(t *testing.T) {
	for _, a := range arches {
		if top := highest(numbers(t, a)); top != newest {
			t.Errorf("%s: the highest number is %d, the tables end at %d: judge what is between them", a, top, newest)
		}
		old, had := a.callName(newest + 1)
		names[a][newest+1] = "from_the_future"
		got := (&Program{Arch: a}).answer(a.Audit, newest+1, [6]uint64{})
		if want := (answer{"from_the_future", unix.ENOSYS, false}); got != want {
			t.Errorf("%s: got %+v, want %+v", a, got, want)
		}
		if delete(names[a], newest+1); had {
			names[a][newest+1] = old
		}
	}
}

// TestNotification holds the decoder against the layout of struct seccomp_notif
// and struct seccomp_notif_resp, written field by field.
func TestNotification(t *testing.T) {
	var b []byte
	e := binary.NativeEndian
	b = e.AppendUint64(b, 0xfedcba9876543210)      // id
	b = e.AppendUint32(b, 4711)                    // pid
	b = e.AppendUint32(b, 0)                       // flags
	b = e.AppendUint32(b, 0xffffffff)              // data.nr: int
	b = e.AppendUint32(b, 0xc000003e)              // data.arch
	b = e.AppendUint64(b, 0x7fff_0000_0000)        // data.instruction_pointer
	for _, a := range []uint64{1, 2, 3, 4, 5, 6} { // data.args
		b = e.AppendUint64(b, a)
	}
	if len(b) != notifSize {
		t.Fatalf("struct of %d bytes", len(b))
	}
	id, audit, number, args := decodeNotif((*[notifSize]byte)(b))
	if id != 0xfedcba9876543210 || audit != 0xc000003e || number != -1 || args != [6]uint64{1, 2, 3, 4, 5, 6} {
		t.Errorf("got %x %x %d %v", id, audit, number, args)
	}
	var want []byte
	want = e.AppendUint64(want, id)
	want = e.AppendUint64(want, 0)                     // val
	want = e.AppendUint32(want, ^uint32(unix.EPERM)+1) // error: minus errno
	want = e.AppendUint32(want, 0)                     // flags: none
	var got [respSize]byte
	if encodeResp(&got, id, unix.EPERM, 0); !slices.Equal(got[:], want) {
		t.Errorf("got %x, want %x", got, want)
	}
	want = e.AppendUint32(make([]byte, 20), 1) // flags: SECCOMP_USER_NOTIF_FLAG_CONTINUE, and no error beside it
	e.PutUint64(want, id)
	got = [respSize]byte{}
	if encodeResp(&got, id, 0, unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE); !slices.Equal(got[:], want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// counting is a listener without a kernel behind it.
func counting() (*Listener, *[]string) {
	var killed []string
	return &Listener{counts: map[string]int64{}, kill: func(name string) { killed = append(killed, name) }}, &killed
}

func TestCount(t *testing.T) {
	l, killed := counting()
	for range maxAnswers {
		l.count(answer{"ptrace", unix.EPERM, false})
	}
	if len(*killed) != 0 {
		t.Fatalf("ended after %d answers: %v", maxAnswers, *killed)
	}
	l.count(answer{"bpf", unix.EPERM, false})
	l.count(answer{"x32", unix.ENOSYS, true})
	if want := []string{"bpf, after 1000 denied calls"}; !slices.Equal(*killed, want) {
		t.Errorf("got %v, want %v", *killed, want)
	}
	if want := []Denied{{"bpf", 1}, {"ptrace", maxAnswers}, {"x32", 1}}; !slices.Equal(l.Denied(), want) {
		t.Errorf("got %v, want %v", l.Denied(), want)
	}

	l, killed = counting()
	for range 3 {
		l.count(answer{"x32", unix.ENOSYS, true})
	}
	if want := []string{"x32"}; !slices.Equal(*killed, want) {
		t.Errorf("got %v, want %v", *killed, want)
	}
	l, _ = counting()
	if got := l.Denied(); got == nil || len(got) != 0 {
		t.Errorf("nothing denied: %v", got)
	}
}

// TestNewListener takes the file over: it is closed, whatever happens.
func TestNewListener(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewListener(r, &Program{Arch: AMD64}, func(string) { t.Error("killed") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Stat(); err == nil {
		t.Error("the given file is still open")
	}
	flags, err := unix.FcntlInt(l.file.Fd(), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %x, %v: a child would inherit the listener", flags, err)
	}
	// The other end of a pipe hangs up as the last process under a filter does.
	w.Close()
	l.Run()
	l.Close()
	l.Run() // closed: ends at once
	if _, err := NewListener(r, &Program{Arch: AMD64}, nil); err == nil {
		t.Error("a closed file was taken")
	}
}
