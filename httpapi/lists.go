package httpapi

import (
	"context"
	"reflect"
	"strconv"

	"cordon/languages"
	"cordon/policy"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func itoa(n int) string { return strconv.Itoa(n) }

// PolicyList is the answer of GET /v1/policies.
type PolicyList struct {
	Policies []PolicyInfo `json:"policies"`
}

// PolicyInfo is a policy with what a job gets by default and at most.
type PolicyInfo struct {
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Extends     string      `json:"extends,omitempty"`
	Source      string      `json:"source" doc:"shipped, or the operator's file"`
	Rules       []PolicyRow `json:"rules"`
}

// PolicyRow is one rule of a policy.
type PolicyRow struct {
	Field   string `json:"field"`
	Default string `json:"default"`
	Max     string `json:"max,omitempty"`
	Reason  string `json:"reason"`
}

// listPolicies is GET /v1/policies: those that the caller may name in a job.
func (s *Server) listPolicies(ctx context.Context, _ *empty) (*answer[PolicyList], error) {
	out := PolicyList{Policies: []PolicyInfo{}}
	for _, i := range s.config.Policies.List() {
		if s.mayHave(tenantOf(ctx), i.Name) != nil {
			continue
		}
		p, err := s.config.Policies.Get(i.Name)
		if err != nil {
			return nil, problem(CodeInternal, "", err.Error())
		}
		rows, err := policy.Explain(p, policy.Request{HasBuild: true})
		if err != nil { // a policy denies nothing to a request that asks for nothing
			return nil, problem(CodeInternal, "", err.Error())
		}
		info := PolicyInfo{Name: i.Name, Description: i.Description, Extends: i.Extends, Source: i.Source, Rules: []PolicyRow{}}
		for _, r := range rows {
			info.Rules = append(info.Rules, PolicyRow{r.Field, r.Value, r.Max, r.Reason})
		}
		out.Policies = append(out.Policies, info)
	}
	return &answer[PolicyList]{out}, nil
}

// LanguageList is the answer of GET /v1/languages.
type LanguageList struct {
	Languages []LanguageInfo `json:"languages"`
}

// LanguageInfo is a language and whether this host has it.
type LanguageInfo struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Family     string   `json:"family,omitempty" doc:"Id of the language that this is a version of; of a language with versions its own id"`
	Default    string   `json:"default,omitempty" doc:"Of a language with versions: the one that its own names mean; absent: the tools that build and run name"`
	Aliases    []string `json:"aliases,omitempty"`
	Status     string   `json:"status" enum:"ok,missing"`
	Version    string   `json:"version,omitempty"`
	Missing    string   `json:"missing,omitempty" doc:"What is missing and how to get it"`
	SourceFile string   `json:"source_file" doc:"Name that source gets below /work"`
	Build      []string `json:"build,omitempty"`
	Run        []string `json:"run,omitempty"`

	Minimum *LanguageMinimum `json:"minimum,omitempty" doc:"The least limits under which a program of one line was seen to work. They are advice: a job with less is run all the same"`
}

// LanguageMinimum is what the smallest program of a language needs.
type LanguageMinimum struct {
	Build *Need `json:"build,omitempty"`
	Run   *Need `json:"run,omitempty"`
}

// Need is what one step needs.
type Need struct {
	MemoryBytes int64 `json:"memory_bytes"`
	Pids        int64 `json:"pids"`
}

func need(n *languages.Need) *Need {
	if n == nil {
		return nil
	}
	return &Need{MemoryBytes: n.MemoryMiB << 20, Pids: n.Pids}
}

func (s *Server) listLanguages(context.Context, *empty) (*answer[LanguageList], error) {
	out := LanguageList{Languages: []LanguageInfo{}}
	for _, l := range s.config.Languages.List() {
		info := LanguageInfo{ID: l.ID, Name: l.Name, Family: l.Family, Default: l.Default, Aliases: l.Aliases, Status: l.Status,
			Version: l.Version, Missing: l.Missing, SourceFile: l.SourceFile, Build: l.Build, Run: l.Run}
		if l.RunMinimum != nil {
			info.Minimum = &LanguageMinimum{Build: need(l.BuildMinimum), Run: need(l.RunMinimum)}
		}
		out.Languages = append(out.Languages, info)
	}
	return &answer[LanguageList]{out}, nil
}
