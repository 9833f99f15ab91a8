package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"cordon/queue"
	"cordon/sandbox"
	"cordon/store"
	"cordon/tenants"
)

// SharedFiles are files that several services have: they are kept where the queue is, and
// each service has those that it needs in a store of its own, as long as they fit. Each
// tenant's have names of their own there, so that all services know whose a file is; what two
// have is kept twice.
type SharedFiles struct {
	*sharedStore
	tenant string // ""
	most   int64  // bytes that the tenant may keep; 0: any number
}

type sharedStore struct {
	own *store.Store
	all *queue.Objects

	mu     sync.Mutex
	coming map[string]int64 // bytes on their way here, by tenant
}

// NewSharedFiles makes them, as the operator knows them.
func NewSharedFiles(own *store.Store, all *queue.Objects) *SharedFiles {
	return &SharedFiles{sharedStore: &sharedStore{own: own, all: all, coming: map[string]int64{}}}
}

// of are the files as a tenant knows them.
func (s *SharedFiles) of(tenant string, most int64) *SharedFiles {
	return &SharedFiles{s.sharedStore, tenant, most}
}

// named is the name of a file where all have it.
func (s *SharedFiles) named(sum string) string { return sum + s.suffix() }

func (s *SharedFiles) suffix() string {
	if s.tenant == "" {
		return ""
	}
	return "-" + hex.EncodeToString([]byte(s.tenant)) // which a name on the journal may have
}

// bytes is what a tenant keeps.
func (s *SharedFiles) bytes() int64 { return s.all.UsageOf(s.suffix()) }

// fetchWithin is how long a file may take to come: a hang, for it may have 256 MiB.
const fetchWithin = 10 * time.Minute

// Put keeps a file for everybody when it returns. One that its tenant does not hold is read
// as if it were new, whoever else has it.
func (s *SharedFiles) Put(ctx context.Context, sum string, size int64, r io.Reader) (bool, error) {
	held := s.tenant == ""
	if !held {
		_, err := s.Name(ctx, sum)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		held = err == nil
	}
	if !held {
		f, created, err := s.PutUnseen(ctx, sum, size, r)
		if err != nil {
			return false, err
		}
		return created, f.Close()
	}
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

// PutUnseen keeps a file, which is read whatever is there; sum "" is any.
func (s *SharedFiles) PutUnseen(ctx context.Context, sum string, size int64, r io.Reader) (*store.File, bool, error) {
	coming := &sharedComing{files: s}
	defer coming.end()
	if size >= 0 { // before anything is read
		if err := coming.More(size); err != nil {
			return nil, false, err
		}
	} else {
		r = &countedReader{r, coming}
	}
	f, _, err := s.own.PutUnseen(ctx, sum, size, r)
	if err != nil {
		return nil, false, err
	}
	created, err := s.share(ctx, f)
	if err != nil {
		return nil, false, errors.Join(err, f.Close())
	}
	return f, created, nil
}

// Add keeps an output for everybody when it returns.
func (s *SharedFiles) Add(ctx context.Context, size int64, r io.Reader) (*store.File, error) {
	f, _, err := s.PutUnseen(ctx, "", size, r)
	return f, err
}

// sharedComing is room for a file that comes.
type sharedComing struct {
	files *SharedFiles
	bytes int64
}

// More takes room for further bytes. What comes to other services at the same moment is not
// known here yet.
func (c *sharedComing) More(bytes int64) error {
	s := c.files
	if s.tenant == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if there := s.bytes() + s.coming[s.tenant]; s.most > 0 && there+bytes > s.most {
		return fmt.Errorf("%w for %d more bytes: stored_bytes of this tenant is %d, and %d are kept or on their way; delete files, or wait until they have gone", tenants.ErrNoRoom, bytes, s.most, there)
	}
	s.coming[s.tenant] += bytes
	c.bytes += bytes
	return nil
}

func (c *sharedComing) end() {
	s := c.files
	if s.tenant == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.coming[s.tenant] -= c.bytes; s.coming[s.tenant] == 0 {
		delete(s.coming, s.tenant)
	}
}

func (s *SharedFiles) share(ctx context.Context, f *store.File) (created bool, err error) {
	content, err := f.Open()
	if err != nil {
		return false, err
	}
	defer content.Close()
	created, err = s.all.Put(ctx, s.named(f.Sum), f.Size, content)
	return created, inStoreWords(err, f.Sum)
}

// inStoreWords says what the shared files answer as a store would.
func inStoreWords(err error, sum string) error {
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return store.NotFound(sum)
	case errors.Is(err, queue.ErrInUse):
		return fmt.Errorf("%w: a job needs %s, or it was used just now", store.ErrInUse, sum)
	case errors.Is(err, queue.ErrFull), errors.Is(err, queue.ErrNoSpace):
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// Get takes a file into use. One that is not here yet is fetched, and hashed as it comes.
func (s *SharedFiles) Get(sum string) (*store.File, error) {
	ctx, stop := context.WithTimeout(context.Background(), fetchWithin)
	defer stop()
	if s.tenant != "" { // what is here may be another's
		if _, err := s.Name(ctx, sum); err != nil {
			return nil, err
		}
	}
	f, err := s.own.Get(sum)
	if !errors.Is(err, store.ErrNotFound) {
		return f, err
	}
	content, size, err := s.all.Get(ctx, s.named(sum))
	if err != nil {
		return nil, inStoreWords(err, sum)
	}
	f, err = s.own.Add(ctx, size, content)
	if err != nil {
		return nil, inStoreWords(err, sum)
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
	size, err := s.all.Use(ctx, s.named(sum))
	return size, inStoreWords(err, sum)
}

// Stat tells of a file without using it.
func (s *SharedFiles) Stat(sum string) (store.Info, error) {
	if err := store.CheckSum(sum); err != nil {
		return store.Info{}, err
	}
	ctx, stop := context.WithTimeout(context.Background(), cancelWithin)
	defer stop()
	size, used, err := s.all.Stat(ctx, s.named(sum))
	return store.Info{Sum: sum, Size: size, Used: used}, inStoreWords(err, sum)
}

// Delete removes a file for everybody. What others have of it in their own stores goes
// there in its time.
func (s *SharedFiles) Delete(sum string) error {
	if err := store.CheckSum(sum); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), cancelWithin)
	defer stop()
	if err := s.all.Delete(ctx, s.named(sum)); err != nil {
		return inStoreWords(err, sum)
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
	name := k.shared.named(sum)
	if !slices.Contains(k.names, name) {
		if len(k.names) == mostNames {
			return nil, problem(CodeInvalidField, at, fmt.Sprintf("the job names more than %d different files, which is what one may have that services share", mostNames))
		}
		k.names = append(k.names, name)
	}
	return namedFile{sum, size}, nil
}
