package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cordon/audit"
)

const (
	loginPath   = "/v1/login"
	linksPath   = "/v1/login-links"
	sessionPath = "/v1/session"
	// loginMax is more than a code needs: whoever sends it is a stranger.
	loginMax = 1 << 10
)

// LoginRequest is the body of POST /v1/login.
type LoginRequest struct {
	Code string `json:"code" doc:"What stands behind #login= in a link that cordon serve or cordon token --link has printed. It is good once"`
}

// LoginResult is the answer of POST /v1/login.
type LoginResult struct {
	Token   string    `json:"token" doc:"For Authorization: Bearer, until it expires, DELETE /v1/session, or the end of this service. Keep it for the tab alone"`
	Expires time.Time `json:"expires_at"`
	Scopes  []string  `json:"scopes"`
}

// LoginLinkResult is the answer of POST /v1/login-links.
type LoginLinkResult struct {
	Code    string    `json:"code" doc:"To stand behind the address of the page as #login=CODE; good once"`
	Expires time.Time `json:"expires_at"`
}

// SessionInfo says whose token a client has.
type SessionInfo struct {
	Operator bool       `json:"operator" doc:"Everything is theirs"`
	Tenant   string     `json:"tenant,omitempty" doc:"Absent: the operator"`
	Key      string     `json:"key" doc:"Id of the key or session, never the secret; operator: the service's own token"`
	Scopes   []string   `json:"scopes" doc:"What it may do"`
	Session  bool       `json:"session" doc:"It came by a link, and DELETE ends it"`
	Expires  *time.Time `json:"expires_at,omitempty" doc:"Absent where it is good until it is taken back"`
}

func (s *Server) registerLogin(mux *http.ServeMux) {
	registry := s.api.OpenAPI().Components.Schemas
	huma.Register(s.api, huma.Operation{
		OperationID: "session", Method: http.MethodGet, Path: sessionPath, Summary: "Whose token this is, and what it may do",
		Responses: problems(registry, 401, 403, 421, 429, 431),
	}, s.whoami)
	huma.Register(s.api, huma.Operation{
		OperationID: "endSession", Method: http.MethodDelete, Path: sessionPath, Summary: "End the session that a link has begun", DefaultStatus: http.StatusNoContent,
		Responses: problems(registry, 401, 403, 421, 422, 429, 431),
	}, s.endSession)
	huma.Register(s.api, huma.Operation{
		OperationID: "makeLoginLink", Method: http.MethodPost, Path: linksPath, Summary: "Make a link that begins a session in a browser", DefaultStatus: http.StatusCreated,
		Description: "The service's own token alone may: no key, and no session.",
		Responses:   problems(registry, 401, 403, 421, 429, 431),
	}, s.makeLink)
	mux.Handle("POST "+loginPath, s.isJSON(http.HandlerFunc(s.login)))
	media := func(schema *huma.Schema) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/json": {Schema: schema}}
	}
	op := &huma.Operation{OperationID: "login", Method: http.MethodPost, Path: loginPath, Summary: "Begin a session with what a link had", Security: []map[string][]string{},
		Description: "For the page that the link leads to. No token is wanted. The session has the operator's rights but for making links.",
		RequestBody: &huma.RequestBody{Required: true, Content: media(registry.Schema(typeOf[LoginRequest](), true, "LoginRequest"))},
		Responses:   problems(registry, 400, 403, 408, 413, 415, 421, 429, 431)}
	op.Responses["200"] = &huma.Response{Description: "OK", Content: media(registry.Schema(typeOf[LoginResult](), true, "LoginResult"))}
	s.api.OpenAPI().AddOperation(op)
}

// login is POST /v1/login. Whoever asks has shown nothing yet: what is read is little, and
// wrong codes are counted as wrong tokens are.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(s.patience.body)); err != nil {
		problem(CodeInternal, "", "no time limit can be set on the connection: "+err.Error()).write(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, loginMax))
	if err != nil {
		turnAway(w, r, unread(err, loginMax, s.patience.body))
		return
	}
	_ = control.SetReadDeadline(time.Time{}) // a connection that is closed has no need of one
	request, p := decodeBody[LoginRequest](body)
	if p != nil {
		p.write(w)
		return
	}
	token, begun, ok := s.logins.follow(request.Code)
	if !ok {
		s.wrongLink(r).write(w)
		return
	}
	identified(r.Context(), "", begun.id)
	s.record(r.Context(), audit.Event{Event: audit.SessionOpened, Until: begun.until.UTC()})
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(LoginResult{token, begun.until.UTC(), operatorSession()}) // a client that is gone cannot be told
}

func (s *Server) wrongLink(r *http.Request) *Problem {
	p := s.strange(r)
	if p.Code != CodeTooManyAttempts {
		p = problem(CodeLoginRefused, "code", "this link was followed already, or is older than "+linkTTL.String()+", or not of this start of the service; cordon token --link prints a new one")
	}
	return p
}

func (s *Server) makeLink(context.Context, *empty) (*answer[LoginLinkResult], error) {
	code, until := s.logins.link()
	return &answer[LoginLinkResult]{LoginLinkResult{code, until.UTC()}}, nil
}

// LoginCode makes what a link has behind #login=, and says until when it is good: for whoever
// runs the service to print.
func (s *Server) LoginCode() (code string, until time.Time) { return s.logins.link() }

func (s *Server) whoami(ctx context.Context, _ *empty) (*answer[SessionInfo], error) {
	who := callerOf(ctx)
	out := SessionInfo{Operator: who.operator, Tenant: who.Tenant, Key: who.Key, Session: who.session != nil, Scopes: []string{}}
	switch {
	case who.session != nil:
		until := who.session.until.UTC()
		out.Key, out.Expires, out.Scopes = who.session.id, &until, operatorSession()
	case who.operator:
		out.Key, out.Scopes = operatorKey, operatorSession()
	default:
		for _, scope := range who.Scopes {
			out.Scopes = append(out.Scopes, string(scope))
		}
		slices.Sort(out.Scopes)
		if _, until := s.config.Tenancy.Keys.Holds(&who.Caller); !until.IsZero() {
			until = until.UTC()
			out.Expires = &until
		}
	}
	return &answer[SessionInfo]{out}, nil
}

func (s *Server) endSession(ctx context.Context, _ *empty) (*struct{}, error) {
	who := callerOf(ctx)
	if who.session == nil {
		return nil, problem(CodeInvalidField, "Authorization", "this is no session but a token or key, which does not end by this; cordon key revoke takes a key back")
	}
	s.logins.leave(who.session)
	s.record(ctx, audit.Event{Event: audit.SessionClosed})
	return nil, nil
}
