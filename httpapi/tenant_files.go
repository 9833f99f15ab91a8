package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"

	"cordon/store"
	"cordon/tenants"
)

// filesOf are the kept files as a tenant knows them; "" is the operator, who knows all.
func (s *Server) filesOf(tenant string) Files {
	t := s.config.Tenancy
	switch {
	case s.config.Shared != nil && tenant != "":
		return s.sharedOf(tenant)
	case s.config.Shared != nil:
		return s.config.Shared
	case s.config.Files == nil || t == nil || t.Holdings == nil:
		return s.config.Files
	case tenant == "":
		return &operatorFiles{s.config.Files, t.Holdings}
	}
	return &tenantFiles{s.config.Files, t.Holdings, tenant, t.Keys.Limits(tenant).StoredBytes}
}

// keptFor is what a job of a tenant keeps in use.
func (s *Server) keptFor(tenant string) *kept {
	k := &kept{files: s.filesOf(tenant), tenant: tenant}
	if t := s.config.Tenancy; t != nil && tenant != "" && s.config.Shared == nil {
		k.holdings = t.Holdings
	}
	return k
}

// namedFor is keptFor for a job on its way into the queue: files that services share are only
// named, and its record has them stay.
func (s *Server) namedFor(ctx context.Context, tenant string) *kept {
	k := s.keptFor(tenant)
	if s.config.Shared != nil {
		k.shared, k.ctx = s.sharedOf(tenant), ctx
	}
	return k
}

// sharedOf are the files that services share, as a tenant knows them.
func (s *Server) sharedOf(tenant string) *SharedFiles {
	most := int64(0)
	if s.config.Tenancy != nil {
		most = s.config.Tenancy.Keys.Limits(tenant).StoredBytes
	}
	return s.config.Shared.of(tenant, most)
}

// operatorFiles are all files. What the operator puts that tenants hold as well is not gone
// with them.
type operatorFiles struct {
	Files
	holdings *tenants.Holdings
}

// Put keeps a file.
func (f *operatorFiles) Put(ctx context.Context, sum string, size int64, r io.Reader) (created bool, err error) {
	if err := store.CheckSum(sum); err != nil {
		return false, err
	}
	if err := f.holdings.Operator(sum); err != nil {
		return false, err
	}
	return f.Files.Put(ctx, sum, size, r)
}

// Add keeps a file.
func (f *operatorFiles) Add(ctx context.Context, size int64, r io.Reader) (*store.File, error) {
	file, err := f.Files.Add(ctx, size, r)
	if err != nil {
		return nil, err
	}
	return file, f.holdings.Operator(file.Sum)
}

// tenantFiles are those of one tenant. What others have kept is not there: neither an
// answer, nor its time, nor the room that is wanted tells whether it is.
type tenantFiles struct {
	files    Files
	holdings *tenants.Holdings
	tenant   string
	most     int64 // bytes that the tenant may keep; 0: any number
}

// Put keeps a file: for a tenant that does not hold it always as if it were new.
func (f *tenantFiles) Put(ctx context.Context, sum string, size int64, r io.Reader) (created bool, err error) {
	if err := store.CheckSum(sum); err != nil {
		return false, err
	}
	if done, err := f.holdings.Use(f.tenant, sum); err == nil { // it cannot be given up while it is compared
		defer done()
		created, err := f.files.Put(ctx, sum, size, r)
		if !created || err != nil {
			return created, err
		}
		// It has had to make room just now, and is no longer held.
		file, err := f.files.Get(sum)
		if err != nil {
			return true, err
		}
		return true, errors.Join(f.holdings.Take(f.tenant, sum, file.Size, true), file.Close())
	}
	file, err := f.bring(ctx, sum, size, r)
	if err != nil {
		return false, err
	}
	return true, file.Close()
}

// Add keeps what r has.
func (f *tenantFiles) Add(ctx context.Context, size int64, r io.Reader) (*store.File, error) {
	return f.bring(ctx, "", size, r)
}

func (f *tenantFiles) bring(ctx context.Context, sum string, size int64, r io.Reader) (*store.File, error) {
	coming := f.holdings.Begin(f.tenant, f.most)
	defer coming.End()
	if size >= 0 { // before anything is read
		if err := coming.More(size); err != nil {
			return nil, err
		}
	} else {
		r = &countedReader{r, coming}
	}
	file, unseen, err := f.files.PutUnseen(ctx, sum, size, r)
	if err != nil {
		return nil, err
	}
	if err := f.holdings.Take(f.tenant, file.Sum, file.Size, unseen); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// PutUnseen is Put: there is nothing that this tenant would see.
func (f *tenantFiles) PutUnseen(ctx context.Context, sum string, size int64, r io.Reader) (*store.File, bool, error) {
	file, err := f.bring(ctx, sum, size, r)
	return file, true, err
}

// countedReader takes room for what comes, as it comes.
type countedReader struct {
	from   io.Reader
	coming interface{ More(bytes int64) error }
}

// Read takes room for what it has read.
func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	if n > 0 {
		if full := c.coming.More(int64(n)); full != nil {
			return 0, full
		}
	}
	return n, err
}

// holds answers for what is not this tenant's as for what is not there.
func (f *tenantFiles) holds(sum string) error {
	if err := store.CheckSum(sum); err != nil {
		return err
	}
	if !f.holdings.Has(f.tenant, sum) {
		return store.NotFound(sum)
	}
	return nil
}

// Get takes a file into use.
func (f *tenantFiles) Get(sum string) (*store.File, error) {
	if err := f.holds(sum); err != nil {
		return nil, err
	}
	return f.files.Get(sum)
}

// Stat tells of a file.
func (f *tenantFiles) Stat(sum string) (store.Info, error) {
	if err := f.holds(sum); err != nil {
		return store.Info{}, err
	}
	return f.files.Stat(sum)
}

// Delete gives a file up. Its bytes go when nobody else holds them, as soon as nobody uses
// them: that others do, this tenant does not learn.
func (f *tenantFiles) Delete(sum string) error {
	if err := f.holds(sum); err != nil {
		return err
	}
	err := f.holdings.Drop(f.tenant, sum, func() error {
		err := f.files.Delete(sum)
		if errors.Is(err, store.ErrInUse) || errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	switch {
	case errors.Is(err, tenants.ErrNotHeld):
		return store.NotFound(sum)
	case errors.Is(err, tenants.ErrUsed):
		return fmt.Errorf("%w: %w", store.ErrInUse, err)
	}
	return err
}

// Stats are those of the whole store, for metrics.
func (f *tenantFiles) Stats() store.Stats { return f.files.Stats() }
