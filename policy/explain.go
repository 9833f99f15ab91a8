package policy

// The sources of a value in a Row.
const (
	SourceAsked   = "asked"          // the request asks for it and gets it
	SourceDefault = "policy default" // the request does not ask
	SourcePolicy  = "policy"         // not for a request to choose
	SourceRefused = "refused"        // the request asks and does not get it
)

// Row says how one part of a grant came about.
type Row struct {
	Field  string `json:"field"` // "build.limits.cpu_ms"
	Value  string `json:"value"`
	Max    string `json:"max,omitempty"` // the ceiling, where a request can choose
	Source string `json:"source"`
	Reason string `json:"reason"` // the policy's, for its rule
}

// Explain says for every part of the grant what a request gets, where that comes
// from and why. The error is that of Resolve; rows are there for a denied request
// too, with what was asked for in the refused ones.
func Explain(p *Policy, q Request) ([]Row, error) {
	if err := whole(p); err != nil {
		return nil, err
	}
	r := &resolver{policy: p, request: q, grant: &Grant{Policy: p.Name}, explain: true}
	err := r.resolve()
	return r.rows, err
}

func (r *resolver) row(field, value, source, reason string) {
	if !r.explain {
		return
	}
	r.rows = append(r.rows, Row{Field: field, Value: value, Source: source, Reason: reason})
}
