package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"

	"cordon/audit"
	"cordon/store"
	"cordon/tenants"
)

const (
	snippetsPath = "/v1/snippets"
	snippetPath  = snippetsPath + "/{id}"

	// SnippetMax is what one may have: a page of programs, not their data.
	SnippetMax = 256 << 10
	// snippetBody is what a request for one may have: JSON writes a byte with six at most.
	snippetBody = 6*SnippetMax + 4<<10
	// snippetPause is between two of one tenant, or of the operator, behind the first snippetBurst.
	snippetPause = 3 * time.Second
	snippetBurst = 20
)

// Snippets are texts that a page keeps to be shared by a link. They are texts to the service:
// nothing of them is ever read, run or shown by it but to whoever asks for one by its id.
type Snippets struct {
	Store    *store.Store
	Holdings *tenants.Holdings // which tenant's they are
	Most     int64             // bytes of one tenant's
	MostOf   int64             // as many snippets of one tenant's
	TTL      time.Duration     // since one was last read

	mu    sync.Mutex
	rates map[string]*rate.Limiter // by tenant
	holds sync.Mutex               // one after the other looks whether there is room, and takes it
}

// SnippetRequest is the body of POST /v1/snippets.
type SnippetRequest struct {
	Content string `json:"content" doc:"A text; 256 KiB at most"`
}

// SnippetResult is the answer to that.
type SnippetResult struct {
	ID      string    `json:"id" doc:"The SHA-256 of the content: the same content has the same"`
	Expires time.Time `json:"expires_at" doc:"If nobody reads it before, and its room is not needed"`
}

// Snippet is the answer of GET /v1/snippets/{id}.
type Snippet struct {
	ID      string `json:"id"`
	Content string `json:"content"`
}

type snippetInput struct {
	ID string `path:"id"`
}

func (s *Server) registerSnippets() {
	registry := s.api.OpenAPI().Components.Schemas
	huma.Register(s.api, huma.Operation{
		OperationID: "keepSnippet", Method: http.MethodPost, Path: snippetsPath, Summary: "Keep a text to be shared by a link", DefaultStatus: http.StatusCreated,
		Description:  "Where the operator allows it: --snippets. It is never run by being kept or read.",
		MaxBodyBytes: -1, BodyReadTimeout: -1, SkipValidateBody: true, // see receive
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}},
		Responses:   problems(registry, 400, 401, 403, 404, 408, 413, 415, 421, 422, 429, 431, 500, 503, 507),
	}, s.keepSnippet)
	huma.Register(s.api, huma.Operation{
		OperationID: "getSnippet", Method: http.MethodGet, Path: snippetPath, Summary: "A text that was kept",
		Responses: problems(registry, 401, 403, 404, 421, 422, 429, 431, 500, 503),
	}, s.getSnippet)
	s.api.OpenAPI().Paths[snippetsPath].Post.RequestBody.Content["application/json"].Schema = registry.Schema(typeOf[SnippetRequest](), true, "SnippetRequest")
}

// hasSnippets answers for a service that keeps none.
func (s *Server) hasSnippets(next http.Handler) http.Handler {
	if s.config.Snippets != nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turnAway(w, r, problem(CodeNotFound, "", "this service keeps no snippets: it was not started with --snippets on; share what is short in the link itself"))
	})
}

// rested lets each tenant keep a few at once, and then one after the other.
func (n *Snippets) rested(tenant string) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rates == nil {
		n.rates = map[string]*rate.Limiter{}
	}
	if n.rates[tenant] == nil {
		n.rates[tenant] = rate.NewLimiter(rate.Every(snippetPause), snippetBurst)
	}
	if n.rates[tenant].Allow() {
		return 0
	}
	return snippetPause
}

func (s *Server) keepSnippet(ctx context.Context, in *runInput) (*answer[SnippetResult], error) {
	request, p := decodeBody[SnippetRequest](in.RawBody)
	if p != nil {
		return nil, p
	}
	switch size := len(request.Content); {
	case size == 0:
		return nil, problem(CodeInvalidField, "content", "empty; give a text")
	case size > SnippetMax:
		return nil, problem(CodeTooLarge, "content", fmt.Sprintf("%d bytes given, at most %d are kept; share what is large as a file", size, SnippetMax))
	}
	tenant, kept := tenantOf(ctx), s.config.Snippets
	if wait := kept.rested(tenant); wait > 0 {
		p := problem(CodeRateLimited, "", fmt.Sprintf("more snippets than %d at once and one each %v", snippetBurst, snippetPause))
		p.wait = wait
		return nil, s.turned(ctx, p)
	}
	id, p := s.holdSnippet(ctx, tenant, []byte(request.Content))
	if p != nil {
		return nil, s.turned(ctx, p)
	}
	return &answer[SnippetResult]{SnippetResult{id, time.Now().Add(kept.TTL).UTC().Truncate(time.Second)}}, nil
}

// holdSnippet keeps a content as a tenant's.
func (s *Server) holdSnippet(ctx context.Context, tenant string, content []byte) (id string, p *Problem) {
	kept, size := s.config.Snippets, int64(len(content))
	sum := sha256.Sum256(content)
	id = hex.EncodeToString(sum[:])
	kept.holds.Lock()
	defer kept.holds.Unlock()
	if tenant != "" && !kept.Holdings.Has(tenant, id) {
		switch bytes, files := kept.Holdings.Bytes(tenant), kept.Holdings.Files(tenant); {
		case bytes+size > kept.Most:
			return "", problem(CodeTenantStoreFull, "", fmt.Sprintf("this tenant's snippets have %d bytes, allowed are %d; those that nobody reads go with time", bytes, kept.Most))
		case files >= kept.MostOf: // else small ones would push out what all others have
			return "", problem(CodeTenantStoreFull, "", fmt.Sprintf("this tenant has %d snippets, allowed are %d; those that nobody reads go with time", files, kept.MostOf))
		}
	}
	f, created, err := kept.Store.PutUnseen(ctx, id, size, bytes.NewReader(content))
	if err != nil {
		return "", s.fileProblem(err, nil)
	}
	defer f.Close()
	if tenant != "" {
		if err := kept.Holdings.Take(tenant, id, size, created); err != nil {
			return "", s.fileProblem(err, nil)
		}
	}
	s.record(ctx, audit.Event{Event: audit.FilePut, SHA256: id, Bytes: size, Created: created})
	return id, nil
}

// getSnippet is for whoever knows the id, whosever it is: to be shared is what it is for.
func (s *Server) getSnippet(_ context.Context, in *snippetInput) (*answer[Snippet], error) {
	f, err := s.config.Snippets.Store.Get(in.ID)
	if err != nil {
		p := s.fileProblem(err, nil)
		if p.Path != "" {
			p.Path = "id"
		}
		return nil, p
	}
	defer f.Close()
	file, err := f.Open()
	if err != nil {
		return nil, s.fileProblem(err, nil)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, SnippetMax))
	if err != nil {
		return nil, s.fileProblem(err, nil)
	}
	return &answer[Snippet]{Snippet{in.ID, string(content)}}, nil
}
