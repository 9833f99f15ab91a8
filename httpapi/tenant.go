package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cordon/tenants"
)

// Tenancy is what the keys of tenants, and their limits, stand on.
type Tenancy struct {
	Keys     *tenants.Registry
	Meter    *tenants.Meter
	Holdings *tenants.Holdings // nil where no files are kept
}

// caller is who has sent a request.
type caller struct {
	operator bool          // who holds the token: everything is theirs, without limits
	session  *loginSession // the operator's, in a browser; nil: it is none
	tenants.Caller
}

type callerKey struct{}

// withCaller makes room for the caller, whom authenticate finds: who looks at a request
// from further out wants to know as well.
func withCaller(ctx context.Context) (context.Context, *caller) {
	who := &caller{}
	return context.WithValue(ctx, callerKey{}, who), who
}

// callerOf is who has sent the request with this context; without one, nobody.
func callerOf(ctx context.Context) *caller {
	if who, ok := ctx.Value(callerKey{}).(*caller); ok {
		return who
	}
	return &caller{}
}

// tenantOf is the tenant behind a request, "" for the operator. A request that came by no
// way which asks who sends it is nobody's, and above all not the operator's.
func tenantOf(ctx context.Context) string {
	who := callerOf(ctx)
	if !who.operator && who.Tenant == "" {
		panic("a request of nobody")
	}
	return who.Tenant
}

// KeyOf names the tenant and the id of the key, or session, behind a request; both are ""
// for the operator's own token.
func KeyOf(ctx context.Context) (tenant, key string) {
	who := callerOf(ctx)
	if who.session != nil {
		return "", who.session.id
	}
	return who.Tenant, who.Key
}

// authenticated finds out who has sent a request. Whatever was given goes the same way:
// what is no bearer token at all is compared, too, with the token and as a key.
func (s *Server) authenticated(r *http.Request) bool {
	scheme, given, _ := strings.Cut(authorization(r), " ")
	given = strings.TrimSpace(given)
	operator := s.config.Token.Is(given)
	var key tenants.Caller
	known := false
	if t := s.config.Tenancy; t != nil {
		key, known = t.Keys.Authenticate(given)
	}
	browser := s.logins.authenticate(given)
	if !strings.EqualFold(scheme, "Bearer") || !operator && !known && browser == nil {
		return false
	}
	who := callerOf(r.Context())
	if operator {
		browser = nil
	}
	who.session = browser
	if who.operator = operator || browser != nil; !who.operator {
		who.Caller = key
	}
	return true
}

// anyKey is the scope of routes that every key may use, and noKey of those that none may,
// nor any session: they want the service's own token.
const (
	anyKey tenants.Scope = ""
	noKey  tenants.Scope = "-"
)

// scopeOf says which scope a route wants of a key. A route that is not here is the
// operator's alone. docs/api.md has the same table.
var scopeOf = map[string]tenants.Scope{
	"POST " + runPath:       tenants.Run,
	"POST " + jobsPath:      tenants.JobsWrite,
	"DELETE " + jobPath:     tenants.JobsWrite,
	"GET " + jobsPath:       tenants.JobsRead,
	"GET " + jobPath:        tenants.JobsRead,
	"GET " + eventsPath:     tenants.JobsRead,
	"GET " + attachPath:     tenants.Attach,
	"PUT " + filesPath:      tenants.Files,
	"GET " + filesPath:      tenants.Files,
	"HEAD " + filesPath:     tenants.Files,
	"DELETE " + filesPath:   tenants.Files,
	"GET /v1/policies":      anyKey,
	"GET /v1/languages":     anyKey,
	"GET /v1/doctor":        tenants.Doctor,
	"GET /metrics":          tenants.Metrics,
	"POST " + snippetsPath:  tenants.Run,
	"GET " + snippetPath:    anyKey,
	"GET " + statusPath:     tenants.Status,
	"GET " + sessionPath:    anyKey,
	"DELETE " + sessionPath: anyKey,
	"POST " + linksPath:     noKey,
}

// mayUse says why the caller may not use a route; nil when it may.
func (s *Server) mayUse(r *http.Request, route string) *Problem {
	who := callerOf(r.Context())
	_, path, _ := strings.Cut(route, " ")
	scope, given := scopeOf[route]
	if who.session != nil && scope == noKey {
		return s.turned(r.Context(), problem(CodeMissingScope, "", "a session cannot do this; use the token that cordon token prints"))
	}
	if who.operator || open[path] {
		return nil
	}
	switch {
	case !given || scope == noKey:
		return s.turned(r.Context(), problem(CodeMissingScope, "", "this is the operator's alone: no key has a scope for it"))
	case scope == anyKey || who.May(scope):
		return nil
	}
	return s.turned(r.Context(), problem(CodeMissingScope, "", fmt.Sprintf("this wants the scope %q; the key %s has %q", scope, who.Key, who.Scopes)))
}

// keyEnds is closed when the key behind a request is not good any more: revoked, expired,
// or replaced. It never is for the operator's own token. What is watched ends with ctx.
func (s *Server) keyEnds(ctx context.Context) <-chan struct{} {
	who := callerOf(ctx)
	if who.session != nil {
		return who.session.over(ctx)
	}
	if who.operator || s.config.Tenancy == nil {
		return nil
	}
	keys, ended := s.config.Tenancy.Keys, make(chan struct{})
	go func() {
		for {
			changed := keys.Changed()
			holds, until := keys.Holds(&who.Caller)
			if !holds {
				close(ended)
				return
			}
			wait := 24 * time.Hour
			if !until.IsZero() {
				wait = min(wait, time.Until(until))
			}
			timer := time.NewTimer(wait)
			select {
			case <-changed:
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
			timer.Stop()
		}
	}()
	return ended
}

// mayHave: a tenant that is restricted to some policies gets the others refused, whether
// there is such a policy or not. GET /v1/policies shows all of them to everybody.
func (s *Server) mayHave(tenant, policy string) *Problem {
	if tenant == "" || s.config.Tenancy == nil {
		return nil
	}
	allowed := s.config.Tenancy.Keys.Limits(tenant).Policies
	if len(allowed) == 0 {
		return nil
	}
	for _, name := range allowed {
		if name == policy {
			return nil
		}
	}
	return problem(CodePolicyNotAllowed, "policy", fmt.Sprintf("%q is not for this tenant; allowed are %q", clip(policy), allowed))
}
