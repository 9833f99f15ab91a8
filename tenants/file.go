package tenants

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FileName is the name of the file in the state directory.
const FileName = "tenants.json"

// File is where the document is kept. Nobody but its owner may read it: what it has of keys
// is of no use to anybody, but who has which limits is nobody else's business.
type File string

// Load reads the document. Where there is no file the error is fs.ErrNotExist.
func (f File) Load() (*Document, error) {
	d, _, err := f.load()
	return d, err
}

// stamp tells one state of the file from another.
type stamp struct {
	dev, ino    uint64
	size        int64
	mtim, ctime unix.Timespec
}

func stampOf(s *unix.Stat_t) stamp { return stamp{s.Dev, s.Ino, s.Size, s.Mtim, s.Ctim} }

func (f File) load() (*Document, stamp, error) {
	in, err := os.Open(string(f))
	if err != nil {
		return nil, stamp{}, err
	}
	defer in.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(in.Fd()), &stat); err != nil {
		return nil, stamp{}, &fs.PathError{Op: "fstat", Path: string(f), Err: err}
	}
	at := stampOf(&stat)
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, at, fmt.Errorf("%s: not a regular file", f)
	}
	if stat.Mode&0o077 != 0 {
		return nil, at, fmt.Errorf("%s: others may read or write it (mode %04o); run: chmod 600 %s", f, stat.Mode&0o7777, f)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFileBytes+1))
	if err != nil {
		return nil, at, err
	}
	d, err := Decode(text)
	if err != nil {
		return nil, at, fmt.Errorf("%s: %w", f, err)
	}
	return d, at, nil
}

// Edit changes the document, under a lock, so that of two who do it at once neither is
// lost. The new one takes the place of the old one as a whole, and is on the disk when Edit
// returns.
func (f File) Edit(change func(*Document) error) (err error) {
	dir := filepath.Dir(string(f))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := owned(dir); err != nil {
		return err
	}
	lock, err := os.OpenFile(string(f)+".lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // and with it the lock goes
	for {
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("%s cannot be locked: %w", lock.Name(), err)
	}
	d, err := f.Load()
	if errors.Is(err, fs.ErrNotExist) {
		d, err = &Document{Version: documentVersion}, nil
	}
	if err != nil {
		return fmt.Errorf("%w; mend it before it is changed", err)
	}
	if err := change(d); err != nil {
		return err
	}
	if err := d.Check(); err != nil {
		return err
	}
	text, err := encode(d)
	if err != nil {
		return err
	}
	return replace(string(f), text)
}

// owned: what another user makes here the service could not read.
func owned(dir string) error {
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	if int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, this is user %d; do this as the user of the service, as in: setpriv --reuid %d --clear-groups cordon …", dir, stat.Uid, os.Geteuid(), stat.Uid)
	}
	return nil
}

// replace puts a file into the place of another, mode 0600, so that nobody ever sees
// half of it.
func replace(name string, text []byte) (err error) {
	dir := filepath.Dir(name)
	out, err := os.CreateTemp(dir, "."+filepath.Base(name)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // it has done no harm
		}
	}()
	_, err = out.Write(text)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err = os.Rename(out.Name(), name); err != nil {
		return err
	}
	at, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(at.Sync(), at.Close())
}
