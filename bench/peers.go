package bench

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The kinds of services that can be measured as well.
const (
	goJudge = "go-judge"
	cordon  = "cordon"
)

// Peer is a running service, at an address of this machine.
type Peer struct {
	Kind  string // goJudge or cordon
	URL   string
	Token string // empty: none is asked for
}

// ParsePeer reads "KIND=URL".
func ParsePeer(text, token string) (Peer, error) {
	kind, at, found := strings.Cut(text, "=")
	if !found || kind != goJudge && kind != cordon {
		return Peer{}, fmt.Errorf("--peer: %q given; KIND=URL is wanted, with %s or %s as KIND, such as %s=http://127.0.0.1:5050", text, goJudge, cordon, goJudge)
	}
	if _, err := post(at, "/", "", nil, nil); err != nil {
		return Peer{}, fmt.Errorf("--peer %s: %w", text, err)
	}
	return Peer{kind, at, token}, nil
}

// servedPeer is a peer as a target.
type servedPeer struct {
	kind   string
	target target
}

// served are the peers that were named.
func (s *session) served() (out []servedPeer, err error) {
	for i, p := range s.o.Peers {
		r, err := p.request(s.o.Program)
		if err != nil {
			return nil, fmt.Errorf("--peer %s=%s: %w", p.Kind, p.URL, err)
		}
		name := p.Kind
		if len(s.o.Peers) > 1 {
			name = fmt.Sprintf("%s (%d)", p.Kind, i+1)
		}
		out = append(out, servedPeer{p.Kind, served(name, r)})
	}
	return out, nil
}

// request is a job that runs the program, with limits as near to those of Cordon's
// default policy as the peer has them.
func (p Peer) request(program string) (*request, error) {
	if p.Kind == cordon {
		body, err := json.Marshal(map[string]any{"command": []string{program}})
		if err != nil {
			return nil, err
		}
		return post(p.URL, "/v1/run", p.Token, body, []byte(`"verdict":"ok"`))
	}
	stream := func(name string) map[string]any { return map[string]any{"name": name, "max": 1 << 20} }
	body, err := json.Marshal(map[string]any{"cmd": []any{map[string]any{
		"args": []string{program}, "env": []string{"PATH=/usr/bin:/bin"},
		"files":    []any{map[string]any{"content": ""}, stream("stdout"), stream("stderr")},
		"cpuLimit": int64(10e9), "clockLimit": int64(30e9), "memoryLimit": 512 << 20, "procLimit": 128,
	}}})
	if err != nil {
		return nil, err
	}
	return post(p.URL, "/run", p.Token, body, []byte(`"status":"Accepted"`))
}
