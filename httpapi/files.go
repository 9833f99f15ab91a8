package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"cordon/audit"
	"cordon/sandbox"
	"cordon/store"
	"cordon/tenants"
)

const filesPath = "/v1/files/{sha256}"

// Files keep files by their content.
type Files interface {
	Put(ctx context.Context, sum string, size int64, r io.Reader) (created bool, err error)
	PutUnseen(ctx context.Context, sum string, size int64, r io.Reader) (f *store.File, created bool, err error)
	Add(ctx context.Context, size int64, r io.Reader) (*store.File, error)
	Get(sum string) (*store.File, error)
	Stat(sum string) (store.Info, error)
	Delete(sum string) error
	Stats() store.Stats
}

// maxTransfers is how many files come or go at once; they have places of their own, so
// that they never take those of jobs.
const maxTransfers = 32

// transfers leave the larger part of the connections to everything else.
func transfers(conns int) int { return max(1, min(maxTransfers, conns/4)) }

// KeptFile is the answer of PUT /v1/files/{sha256}.
type KeptFile struct {
	SHA256    string `json:"sha256"`
	SizeBytes int64  `json:"size_bytes"`
}

// registerFiles puts the routes of files into the mux. They are not huma's: it would
// have whole files in memory.
func (s *Server) registerFiles(mux *http.ServeMux) {
	for method, handler := range map[string]http.Handler{
		http.MethodPut:    s.audited(s.transfer(http.HandlerFunc(s.putFile))),
		http.MethodGet:    s.transfer(http.HandlerFunc(s.getFile)),
		http.MethodHead:   http.HandlerFunc(s.headFile),
		http.MethodDelete: s.audited(http.HandlerFunc(s.deleteFile)),
	} {
		mux.Handle(method+" "+filesPath, s.keepsFiles(handler))
	}
	s.describeFiles()
}

// keepsFiles answers for a service that keeps none.
func (s *Server) keepsFiles(next http.Handler) http.Handler {
	if s.config.Files != nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turnAway(w, r, problem(CodeNotFound, "", "this service keeps no files: it was started with --files-bytes 0"))
	})
}

// transfer bounds how many files come and go at once.
func (s *Server) transfer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			turnAway(w, r, refusal(sandbox.ErrShuttingDown))
			return
		}
		leave, p := s.among(r.Context(), s.transfers, "files come or go")
		if p != nil {
			turnAway(w, r, p)
			return
		}
		defer leave()
		next.ServeHTTP(w, r)
	})
}

// putFile is PUT /v1/files/{sha256}. The body goes to the disk as it comes.
func (s *Server) putFile(w http.ResponseWriter, r *http.Request) {
	if len(r.Header.Values("Content-Encoding")) > 0 {
		turnAway(w, r, problem(CodeEncoded, "", "a file is taken as it is: send it without Content-Encoding"))
		return
	}
	sum := r.PathValue("sha256")
	body, release := s.paced(w, r)
	created, err := s.filesOf(tenantOf(r.Context())).Put(r.Context(), sum, r.ContentLength, body)
	release()
	s.answerInTime(body.connection)
	if err != nil {
		p := s.turned(r.Context(), s.fileProblem(err, body))
		if body.ended {
			p.write(w)
		} else {
			turnAway(w, r, p)
		}
		return
	}
	s.record(r.Context(), audit.Event{Event: audit.FilePut, SHA256: sum, Bytes: body.bytes, Created: created})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", r.URL.Path)
	if created {
		w.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(w).Encode(KeptFile{sum, body.bytes}) // a client that is gone cannot be told
}

// getFile is GET /v1/files/{sha256}. The file is in use until it has been read.
func (s *Server) getFile(w http.ResponseWriter, r *http.Request) {
	k := s.keptFor(tenantOf(r.Context()))
	defer k.release()
	f, err := k.use(r.PathValue("sha256"))
	if err != nil {
		turnAway(w, r, s.fileProblem(err, nil))
		return
	}
	defer f.Close()
	content, err := f.Open()
	if err != nil {
		turnAway(w, r, s.fileProblem(err, nil))
		return
	}
	defer content.Close()
	fileHeaders(w, f.Size)
	w.WriteHeader(http.StatusOK)
	if _, err := io.CopyBuffer(s.pacedAnswer(w, r), struct{ io.Reader }{content}, make([]byte, min(f.Size+1, copyBytes))); err != nil {
		// The client sees it, too: fewer bytes came than were announced.
		s.config.Logger.Info("a file was not sent to its end", "path", s.logged(r.URL.Path), "error", err)
	}
}

// copyBytes is what is sent at once.
const copyBytes = 64 << 10

// headFile is HEAD /v1/files/{sha256}: it does not count as use.
func (s *Server) headFile(w http.ResponseWriter, r *http.Request) {
	info, err := s.filesOf(tenantOf(r.Context())).Stat(r.PathValue("sha256"))
	if err != nil {
		turnAway(w, r, s.fileProblem(err, nil))
		return
	}
	fileHeaders(w, info.Size)
	w.WriteHeader(http.StatusOK)
}

// fileHeaders: a browser that is led here shows nothing of it and starts nothing.
func fileHeaders(w http.ResponseWriter, size int64) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
}

// deleteFile is DELETE /v1/files/{sha256}.
func (s *Server) deleteFile(w http.ResponseWriter, r *http.Request) {
	if err := s.filesOf(tenantOf(r.Context())).Delete(r.PathValue("sha256")); err != nil {
		turnAway(w, r, s.fileProblem(err, nil))
		return
	}
	s.record(r.Context(), audit.Event{Event: audit.FileDeleted, SHA256: r.PathValue("sha256")})
	w.WriteHeader(http.StatusNoContent)
}

// fileProblem says what went wrong with a file; body is that of a PUT.
func (s *Server) fileProblem(err error, body *pacedBody) *Problem {
	for _, known := range []struct {
		err  error
		code Code
	}{{tenants.ErrNoRoom, CodeTenantStoreFull}, {store.ErrNotFound, CodeUnknownFile}, {store.ErrMismatch, CodeContentMismatch}, {store.ErrTooLarge, CodeTooLarge}, {store.ErrFull, CodeStoreFull},
		{store.ErrInUse, CodeFileInUse}, {syscall.ENOSPC, CodeStoreFull}, {syscall.EDQUOT, CodeStoreFull}, {sandbox.ErrShuttingDown, CodeShuttingDown}, {os.ErrClosed, CodeShuttingDown}} {
		if errors.Is(err, known.err) {
			return problem(known.code, "", err.Error())
		}
	}
	var slow net.Error
	switch {
	case errors.Is(err, store.ErrBadSum):
		return problem(CodeInvalidField, "sha256", err.Error())
	case errors.Is(err, store.ErrUnread) && errors.As(err, &slow) && slow.Timeout():
		return problem(CodeTimeout, "", fmt.Sprintf("the file came too slowly: %d bytes within %v; %v is allowed, and a second for each %d bytes",
			body.bytes, time.Since(body.started).Round(time.Second), s.patience.body, s.patience.rate))
	case errors.Is(err, store.ErrUnread):
		return problem(CodeMalformed, "", err.Error())
	}
	s.config.Logger.Error("the store of files has failed", "error", err)
	return problem(CodeInternal, "", "the file could not be kept or read, and that is not its fault: "+err.Error())
}
