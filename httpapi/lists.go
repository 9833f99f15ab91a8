package httpapi

import (
	"context"
	"reflect"
	"strconv"

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

func (s *Server) listPolicies(context.Context, *empty) (*answer[PolicyList], error) {
	out := PolicyList{Policies: []PolicyInfo{}}
	for _, i := range s.config.Policies.List() {
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
	Aliases    []string `json:"aliases,omitempty"`
	Status     string   `json:"status" enum:"ok,missing"`
	Version    string   `json:"version,omitempty"`
	Missing    string   `json:"missing,omitempty" doc:"What is missing and how to get it"`
	SourceFile string   `json:"source_file" doc:"Name that source gets below /work"`
	Build      []string `json:"build,omitempty"`
	Run        []string `json:"run,omitempty"`
}

func (s *Server) listLanguages(context.Context, *empty) (*answer[LanguageList], error) {
	out := LanguageList{Languages: []LanguageInfo{}}
	for _, l := range s.config.Languages.List() {
		out.Languages = append(out.Languages, LanguageInfo{ID: l.ID, Name: l.Name, Aliases: l.Aliases, Status: l.Status,
			Version: l.Version, Missing: l.Missing, SourceFile: l.SourceFile, Build: l.Build, Run: l.Run})
	}
	return &answer[LanguageList]{out}, nil
}
