package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cordon/policy"
)

// Problem is an error as RFC 9457 has it, with a stable code. It is both the
// answer's body and the handlers' error.
type Problem struct {
	Type    string          `json:"type" doc:"Always about:blank; the code says what it is"`
	Title   string          `json:"title"`
	Status  int             `json:"status"`
	Detail  string          `json:"detail" doc:"What was given, what is allowed, what to do"`
	Code    Code            `json:"code" doc:"Stable; programs may rely on it"`
	Path    string          `json:"path,omitempty" doc:"The field at fault, as in files[0].path"`
	Job     string          `json:"job,omitempty" doc:"Id of the job, where there was one"`
	Denials []policy.Denial `json:"denials,omitempty" doc:"Everything that the policy refuses"`

	wait time.Duration // for Retry-After, where it is not a second
}

// Code names a kind of problem.
type Code string

// The codes. docs/api.md lists them for clients.
const (
	CodeMalformed        Code = "malformed_json"
	CodeUnknownField     Code = "unknown_field"
	CodeWrongType        Code = "wrong_type"
	CodeDuplicateKey     Code = "duplicate_key"
	CodeTrailingData     Code = "trailing_data"
	CodeTooDeep          Code = "too_deep"
	CodeTooLarge         Code = "too_large"
	CodeInvalidField     Code = "invalid_field"
	CodeUnknownPolicy    Code = "unknown_policy"
	CodePolicyDenied     Code = "policy_denied"
	CodeUnknownLanguage  Code = "unknown_language"
	CodeMissingLanguage  Code = "language_not_installed"
	CodeUnsupportedHost  Code = "unsupported_host"
	CodeUnauthorized     Code = "unauthorized"
	CodeTooManyAttempts  Code = "too_many_attempts"
	CodeUnknownHost      Code = "unknown_host"
	CodeCrossOrigin      Code = "cross_origin"
	CodeNotJSON          Code = "not_json"
	CodeEncoded          Code = "content_encoding"
	CodeTooManyHeaders   Code = "too_many_headers"
	CodeNotFound         Code = "not_found"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeTimeout          Code = "request_timeout"
	CodeQueueFull        Code = "queue_full"
	CodeShuttingDown     Code = "shutting_down"
	CodeCancelled        Code = "cancelled"
	CodeUnknownFile      Code = "unknown_file"
	CodeContentMismatch  Code = "content_mismatch"
	CodeFileInUse        Code = "file_in_use"
	CodeStoreFull        Code = "store_full"
	CodeUnknownJob       Code = "unknown_job"
	CodeKeyMismatch      Code = "idempotency_key_reused"
	CodeQueueUnavailable Code = "queue_unavailable"
	CodeDiskFull         Code = "disk_full"
	CodeMissingScope     Code = "missing_scope"
	CodePolicyNotAllowed Code = "policy_not_allowed"
	CodeRateLimited      Code = "rate_limited"
	CodeTenantBusy       Code = "tenant_busy"
	CodeTenantQueueFull  Code = "tenant_queue_full"
	CodeCPUQuota         Code = "cpu_quota"
	CodeTenantStoreFull  Code = "tenant_store_full"
	CodeWebhookRefused   Code = "webhook_refused"
	CodeAuditUnavailable Code = "audit_unavailable"
	CodeUpgradeRequired  Code = "upgrade_required"
	CodeLoginRefused     Code = "login_refused"
	CodeInternal         Code = "internal_error"
)

// statusOf is the HTTP status of each code.
var statusOf = map[Code]int{
	CodeMalformed: 400, CodeUnknownField: 400, CodeWrongType: 400, CodeDuplicateKey: 400, CodeTrailingData: 400,
	CodeTooDeep: 400, CodeTooLarge: 413, CodeInvalidField: 422, CodeUnknownPolicy: 422, CodePolicyDenied: 422,
	CodeUnknownLanguage: 422, CodeMissingLanguage: 422, CodeUnsupportedHost: 503, CodeUnauthorized: 401,
	CodeTooManyAttempts: 429, CodeUnknownHost: 421, CodeNotJSON: 415, CodeEncoded: 415, CodeTooManyHeaders: 431,
	CodeCrossOrigin: 403, CodeNotFound: 404, CodeMethodNotAllowed: 405, CodeTimeout: 408,
	CodeUnknownFile: 404, CodeContentMismatch: 422, CodeFileInUse: 409, CodeStoreFull: 507,
	CodeUnknownJob: 404, CodeKeyMismatch: 422, CodeQueueUnavailable: 503, CodeDiskFull: 507, CodeUpgradeRequired: 426,
	CodeMissingScope: 403, CodePolicyNotAllowed: 403, CodeRateLimited: 429, CodeTenantBusy: 429,
	CodeTenantQueueFull: 429, CodeCPUQuota: 429, CodeTenantStoreFull: 507,
	CodeWebhookRefused: 422, CodeAuditUnavailable: 503, CodeLoginRefused: 403,
	CodeQueueFull: 503, CodeShuttingDown: 503, CodeCancelled: 499, CodeInternal: 500,
}

// codeOf is the code of a status that the HTTP library answers by itself.
func codeOf(status int) Code {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return CodeTooLarge
	case http.StatusRequestTimeout:
		return CodeTimeout
	case http.StatusNotFound:
		return CodeNotFound
	}
	if status >= http.StatusInternalServerError {
		return CodeInternal
	}
	return CodeMalformed
}

func problem(code Code, path, detail string) *Problem {
	status := statusOf[code]
	return &Problem{Type: "about:blank", Title: title(status), Status: status, Detail: detail, Code: code, Path: path}
}

func title(status int) string {
	if status == statusOf[CodeCancelled] { // not a registered status: nobody is left to read it
		return "Client Closed Request"
	}
	return http.StatusText(status)
}

// Error is the detail.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// GetStatus is huma's way to ask for the status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is huma's way to ask for the media type.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders is huma's way to ask for headers.
func (p *Problem) GetHeaders() http.Header { return p.headers() }

func (p *Problem) headers() http.Header {
	h := http.Header{}
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		h.Set("Retry-After", strconv.Itoa(max(1, int(p.wait/time.Second))))
	}
	if p.Status == http.StatusInsufficientStorage { // room comes when something goes by its age
		h.Set("Retry-After", strconv.Itoa(max(60, int(p.wait/time.Second))))
	}
	if p.Code == CodeUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="cordon"`)
	}
	return h
}

// write answers with the problem outside of huma.
func (p *Problem) write(w http.ResponseWriter) {
	for name, values := range p.headers() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a client that is gone cannot be told
}

// lingering is how long a client that is turned away may go on sending: some send
// all before they read the answer, and would lose it with the connection.
const lingering = 2 * time.Second

// turnAway answers a request whose body nobody will read. Else net/http would
// read on for the next request, and wait with the answer until the body is there.
func turnAway(w http.ResponseWriter, r *http.Request, p *Problem) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingering)) // the connection's own is longer
	}
	p.write(w)
}

func init() {
	// huma asks this variable for the errors it makes itself: a body that is too
	// large or too slow.
	// A list that is empty is [] in what is answered, and null is not taken.
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, message string, _ ...error) huma.StatusError {
		p := problem(codeOf(status), "", message)
		p.Status, p.Title = status, http.StatusText(status)
		return p
	}
}
