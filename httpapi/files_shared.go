package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"cordon/queue"
	"cordon/sandbox"
	"cordon/store"
)

// SharedFiles are files that several services have: they are kept where the queue is, and
// each service has those that it needs in a store of its own, as long as they fit.
type SharedFiles struct {
	own *store.Store
	all *queue.Objects
}

// NewSharedFiles makes them.
func NewSharedFiles(own *store.Store, all *queue.Objects) *SharedFiles { return &SharedFiles{own, all} }

// fetchWithin is how long a file may take to come: a hang, for it may have 256 MiB.
const fetchWithin = 10 * time.Minute

// Put keeps a file for everybody when it returns.
func (s *SharedFiles) Put(ctx context.Context, sum string, size int64, r io.Reader) (bool, error) {
	if _, err := s.own.Put(ctx, sum, size, r); err != nil { // which proves its name
		return false, err
	}
	f, err := s.own.Get(sum)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return s.share(ctx, f)
}

// Add keeps an output for everybody when it returns.
func (s *SharedFiles) Add(ctx context.Context, size int64, r io.Reader) (*store.File, error) {
	f, err := s.own.Add(ctx, size, r)
	if err != nil {
		return nil, err
	}
	if _, err := s.share(ctx, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *SharedFiles) share(ctx context.Context, f *store.File) (created bool, err error) {
	content, err := f.Open()
	if err != nil {
		return false, err
	}
	defer content.Close()
	created, err = s.all.Put(ctx, f.Sum, f.Size, content)
	return created, inStoreWords(err)
}

// inStoreWords says what the shared files answer as a store would.
func inStoreWords(err error) error {
	for _, one := range []struct{ from, to error }{{queue.ErrNotFound, store.ErrNotFound}, {queue.ErrFull, store.ErrFull},
		{queue.ErrNoSpace, store.ErrFull}, {queue.ErrInUse, store.ErrInUse}} {
		if errors.Is(err, one.from) {
			return fmt.Errorf("%w: %w", one.to, err)
		}
	}
	return err
}

// Get takes a file into use. One that is not here yet is fetched, and hashed as it comes.
func (s *SharedFiles) Get(sum string) (*store.File, error) {
	f, err := s.own.Get(sum)
	if !errors.Is(err, store.ErrNotFound) {
		return f, err
	}
	ctx, stop := context.WithTimeout(context.Background(), fetchWithin)
	defer stop()
	content, size, err := s.all.Get(ctx, sum)
	if errors.Is(err, queue.ErrNotFound) {
		return nil, fmt.Errorf("%w as %s; it was never put here, was removed, or had to make room", store.ErrNotFound, sum)
	}
	if err != nil {
		return nil, err
	}
	f, err = s.own.Add(ctx, size, content)
	if err != nil {
		return nil, inStoreWords(err)
	}
	if f.Sum != sum {
		return nil, errors.Join(fmt.Errorf("%w: the shared file %s came as %s", store.ErrMismatch, sum, f.Sum), f.Close(), s.own.Delete(f.Sum))
	}
	return f, nil
}

// Name says how long a file is, and keeps it for a while. It is not fetched.
func (s *SharedFiles) Name(ctx context.Context, sum string) (int64, error) {
	if err := store.CheckSum(sum); err != nil {
		return 0, err
	}
	size, err := s.all.Use(ctx, sum)
	return size, inStoreWords(err)
}

// Stat tells of a file without using it.
func (s *SharedFiles) Stat(sum string) (store.Info, error) {
	if err := store.CheckSum(sum); err != nil {
		return store.Info{}, err
	}
	ctx, stop := context.WithTimeout(context.Background(), cancelWithin)
	defer stop()
	size, used, err := s.all.Stat(ctx, sum)
	return store.Info{Sum: sum, Size: size, Used: used}, inStoreWords(err)
}

// Delete removes a file for everybody. What others have of it in their own stores goes
// there in its time.
func (s *SharedFiles) Delete(sum string) error {
	if err := store.CheckSum(sum); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), cancelWithin)
	defer stop()
	if err := s.all.Delete(ctx, sum); err != nil {
		return inStoreWords(err)
	}
	if err := s.own.Delete(sum); err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrInUse) {
		return err
	}
	return nil
}

// Stats are those of the shared files, and of what this service writes.
func (s *SharedFiles) Stats() store.Stats {
	out := s.own.Stats()
	out.Files, out.Bytes = s.all.Usage()
	return out
}

// namedFile is a shared file of a job that is only looked at: it runs elsewhere.
type namedFile struct {
	sum  string
	size int64
}

// Open is sandbox.Kept's; nobody opens what runs elsewhere.
func (namedFile) Open() (*os.File, error) { return nil, errNowhere }

// Bytes is sandbox.Kept's.
func (f namedFile) Bytes() int64 { return f.size }

// SHA256 is its name, as that of heldFile.
func (f namedFile) SHA256() string { return f.sum }

// mostNames is how many files a job may name that services share: their names are part of
// its record.
const mostNames = 1000

// name has a shared file stay for a job that is on its way into the queue.
func (k *kept) name(sum, at string) (sandbox.Kept, *Problem) {
	size, err := k.shared.Name(k.ctx, sum)
	if err != nil {
		return nil, notKept(err, sum, at)
	}
	if !slices.Contains(k.names, sum) {
		if len(k.names) == mostNames {
			return nil, problem(CodeInvalidField, at, fmt.Sprintf("the job names more than %d different files, which is what one may have that services share", mostNames))
		}
		k.names = append(k.names, sum)
	}
	return namedFile{sum, size}, nil
}
