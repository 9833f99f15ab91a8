package httpapi

import "net/http"

// Page is what browsers are shown.
type Page interface {
	http.Handler
	// Has says whether something is served at a path.
	Has(path string) bool
}

// paged answers for the page, which needs no token: it is the same for everybody, and asks
// for the token itself.
func (s *Server) paged(next http.Handler) http.Handler {
	if s.config.Page == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.config.Page.Has(r.URL.EscapedPath()) {
			next.ServeHTTP(w, r)
			return
		}
		r.Pattern = "GET /" // for metrics
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			turnAway(w, r, problem(CodeMethodNotAllowed, "", clip(r.Method)+" is not for this path; allowed: GET, HEAD"))
			return
		}
		w.Header().Set("Content-Security-Policy", PagePolicy)
		s.config.Page.ServeHTTP(w, r)
	})
}

// visits: somebody follows a link to the page from elsewhere, such as one that was shared.
// A page of another site sees nothing of it: it may neither frame this one, nor reach it as
// its opener, and the page does nothing by being opened.
func (s *Server) visits(r *http.Request) bool {
	return s.config.Page != nil && s.config.Page.Has(r.URL.EscapedPath()) && r.Method == http.MethodGet &&
		r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}
