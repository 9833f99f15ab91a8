package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cordon/audit"
	"cordon/languages"
	"cordon/policies"
	"cordon/policy"
	"cordon/rootfs"
	"cordon/sandbox"
)

// Runner runs jobs.
type Runner interface {
	Run(ctx context.Context, job *sandbox.Job) (*sandbox.Result, error)
	Stats() sandbox.Stats
}

// Policies resolve and list.
type Policies interface {
	Resolve(name string, q policy.Request) (*policy.Grant, error)
	List() []policies.Info
	Get(name string) (*policy.Policy, error)
}

// Languages plan and list.
type Languages interface {
	Plan(name string) (languages.Plan, error)
	PlanOn(name string, root *languages.Root) (languages.Plan, error)
	List() []languages.Info
}

// Config is what a Server stands on.
type Config struct {
	Version   string
	Token     Token
	Runner    Runner // nil: jobs run elsewhere, by way of Jobs
	Policies  Policies
	Languages Languages
	Images    rootfs.Images // nil: there are none
	// Doctor looks at the host; its answer is served as it is.
	Doctor   func(context.Context) (any, error)
	Files    Files        // nil: none are kept
	Jobs     *Jobs        // nil: there is no queue
	Shared   *SharedFiles // Files, where services share them; else nil
	Quiet    bool         // no API: only health and metrics
	Page     Page         // nil: there is none
	Snippets *Snippets    // nil: none are kept
	Tenancy  *Tenancy     // nil: there is the operator's token, and no tenants
	Hosts    []string     // names under which clients reach the service, besides the listeners' own; see CheckHost
	MaxBody  int64        // bytes of a request; 0: DefaultMaxBody
	MaxJobs  int          // jobs that run or wait at once
	MaxConns int          // connections at once; 0: DefaultMaxConns
	Registry *prometheus.Registry
	Logger   *slog.Logger
	Audit    *audit.Log // nil: nothing is written down; see audit.go
	// AuditSource has the source texts of jobs written down there, too.
	AuditSource bool
	Settings    []string // names of those that are not as they are by default, for the audit log
	// Traced, when set, is given the trace of each request for a job when its answer
	// is written (cordon bench --trace).
	Traced func(*sandbox.Trace)
}

// DefaultMaxBody is what a request may have: the largest input that a shipped
// policy takes, as base64, with room to spare.
const DefaultMaxBody = 64 << 20

// DefaultMaxConns is for a service with the usual 1024 descriptors.
const DefaultMaxConns = 256

// Server answers requests.
type Server struct {
	config    Config
	metrics   *metrics
	admission *admission
	transfers *admission // of files
	incoming  *admission // jobs on their way into the queue
	readers   *admission // of events
	attachers *admission // over WebSocket
	attached  sync.WaitGroup
	writers   writers
	pins      pins
	live      lives
	mirrors   mirrors
	insiders  insiders
	began     time.Time
	ending    chan struct{} // closed when the service begins to end
	drained   time.Time     // until when jobs may run then; set before
	over      chan struct{} // closed when those that still run are ended
	api       huma.API
	handler   http.Handler
	openapi   []byte
	attempts  *attempts
	logins    *logins
	strangers *strangers
	patience  patience
	draining  atomic.Bool
}

// New puts the routes together.
func New(c Config) (*Server, error) {
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.MaxConns == 0 {
		c.MaxConns = DefaultMaxConns
	}
	if c.Tenancy != nil && c.Files != nil && c.Shared == nil && c.Tenancy.Holdings == nil {
		return nil, errors.New("tenancy: files are kept, and nothing knows whose: Holdings are wanted")
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	c.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s := &Server{config: c, admission: newAdmission(max(c.MaxJobs, 1)), transfers: newAdmission(transfers(c.MaxConns)),
		incoming: newAdmission(min(maxSubmissions, max(1, c.MaxConns/4))), readers: newAdmission(max(1, c.MaxConns/4)),
		attachers: newAdmission(max(1, c.MaxConns/4)), writers: newWriters(),
		pins: pins{held: map[string]*kept{}}, live: newLives(), mirrors: newMirrors(), ending: make(chan struct{}), over: make(chan struct{}),
		began: time.Now(), attempts: newAttempts(), logins: newLogins(), strangers: newStrangers(), patience: defaultPatience}
	s.config.Hosts = nil
	for _, host := range c.Hosts {
		if err := CheckHost(host); err != nil {
			return nil, fmt.Errorf("hosts: %w", err)
		}
		s.config.Hosts = append(s.config.Hosts, strings.ToLower(host))
	}
	s.metrics = newMetrics(c.Registry, &s.config, s.admission)
	mux := http.NewServeMux()
	s.api = humago.New(&tapped{mux, s}, description(c.Version))
	if !c.Quiet {
		s.register()
		s.registerFiles(mux)
		s.registerJobs(mux)
		s.registerLogin(mux)
		s.registerStatus()
		s.registerSnippets()
		shareEnums(s.api.OpenAPI().Components.Schemas.Map())
	}
	if c.Jobs != nil {
		c.Jobs.Queue.OnEnd(s.pins.release)
		if err := s.pinAll(context.Background()); err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
	}
	var err error
	if s.openapi, err = s.api.OpenAPI().YAML(); err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	if !c.Quiet {
		mux.HandleFunc("GET /openapi.yaml", s.document)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Registry, promhttp.HandlerOpts{}))
	s.handler = s.observe(securityHeaders(few(s.ours(s.paged(s.authenticate(exact(mux, s.mayUse)))))))
	return s, nil
}

// document is GET /openapi.yaml.
func (s *Server) document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(s.openapi)
}

// Handler is the whole API.
func (s *Server) Handler() http.Handler { return s.handler }

// OpenAPI is the description of the API as YAML, made from the handlers' types.
func (s *Server) OpenAPI() []byte { return s.openapi }

// tapped puts admission before the routes that take jobs, so that a body is only read
// when there is a place for it.
type tapped struct {
	*http.ServeMux
	server *Server
}

// HandleFunc is what the adapter registers routes with.
func (t *tapped) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	s := t.server
	_, path, _ := strings.Cut(pattern, " ")
	switch {
	case pattern == "POST "+runPath:
		t.Handle(pattern, s.audited(s.traced(s.isJSON(s.within(false, s.admit(s.admission, "jobs run or wait", s.receive(http.HandlerFunc(h))))))))
	case pattern == "POST "+jobsPath:
		t.Handle(pattern, s.hasQueue(s.audited(s.isJSON(s.within(true, s.admit(s.incoming, "jobs are on their way into the queue", s.receive(http.HandlerFunc(h))))))))
	case pattern == "POST "+snippetsPath:
		t.Handle(pattern, s.hasSnippets(s.audited(s.isJSON(s.admit(s.transfers, "files come or go", s.receiveMost(min(snippetBody, s.config.MaxBody), http.HandlerFunc(h)))))))
	case path == snippetPath:
		t.Handle(pattern, s.hasSnippets(http.HandlerFunc(h)))
	case path == jobsPath, path == jobPath:
		t.Handle(pattern, s.hasQueue(http.HandlerFunc(h)))
	default:
		t.ServeMux.HandleFunc(pattern, h)
	}
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		plain(w, http.StatusServiceUnavailable, "ending")
		return
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// exact answers what no route takes as a problem, not as text, and never leads on
// to another path, as the mux does from //v1/run to /v1/run. What takes a request may be
// not for everybody.
func exact(mux *http.ServeMux, mayUse func(r *http.Request, route string) *Problem) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		_, path, _ := strings.Cut(pattern, " ")
		if pattern != "" && asWritten(path, r.URL.EscapedPath()) {
			if p := mayUse(r, pattern); p != nil {
				r.Pattern = pattern // for metrics
				turnAway(w, r, p)
				return
			}
			mux.ServeHTTP(w, r)
			return
		}
		probe := &headerOnly{header: http.Header{}}
		if pattern == "" && r.URL.Path == r.URL.EscapedPath() { // no path of ours needs escapes
			// The mux knows whether another method would do, and which: it says so
			// in the header.
			h.ServeHTTP(probe, r)
		}
		if allow := probe.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			turnAway(w, r, problem(CodeMethodNotAllowed, "", clip(r.Method)+" is not for this path; allowed: "+allow))
			return
		}
		turnAway(w, r, problem(CodeNotFound, "", "no such path; /openapi.yaml lists those there are"))
	})
}

// asWritten: a path is its route's letter for letter; where that has a name in braces,
// one part without escapes stands there.
func asWritten(route, path string) bool {
	before, rest, named := strings.Cut(route, "{")
	if !named {
		return route == path
	}
	_, behind, _ := strings.Cut(rest, "}")
	part, found := strings.CutPrefix(path, before)
	part, ends := strings.CutSuffix(part, behind)
	return found && ends && part != "" && !strings.ContainsAny(part, "/%")
}

type headerOnly struct{ header http.Header }

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }
func (h *headerOnly) WriteHeader(int)             {}
