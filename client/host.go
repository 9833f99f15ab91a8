package client

import (
	"context"
	"encoding/json"
	"net/http"
)

// Policies lists the policies with their limits.
func (c *Client) Policies(ctx context.Context) ([]PolicyInfo, error) {
	list, err := answer[PolicyList](ctx, c, call{method: http.MethodGet, path: "/v1/policies", repeatable: true, want: []int{http.StatusOK}})
	if err != nil {
		return nil, err
	}
	return list.Policies, nil
}

// Languages lists the languages, installed or not.
func (c *Client) Languages(ctx context.Context) ([]LanguageInfo, error) {
	list, err := answer[LanguageList](ctx, c, call{method: http.MethodGet, path: "/v1/languages", repeatable: true, want: []int{http.StatusOK}})
	if err != nil {
		return nil, err
	}
	return list.Languages, nil
}

// Doctor is what the host offers, as cordon doctor --json prints it.
func (c *Client) Doctor(ctx context.Context) (json.RawMessage, error) {
	report, err := answer[json.RawMessage](ctx, c, call{method: http.MethodGet, path: "/v1/doctor", repeatable: true, want: []int{http.StatusOK}})
	if err != nil {
		return nil, err
	}
	return *report, nil
}

// Health is nil when the process lives. It is asked once.
func (c *Client) Health(ctx context.Context) error { return c.probe(ctx, "/healthz") }

// Ready is nil when jobs are taken. It is asked once.
func (c *Client) Ready(ctx context.Context) error { return c.probe(ctx, "/readyz") }

// probe asks once: who asks wants to know how it is now.
func (c *Client) probe(ctx context.Context, path string) error {
	r, err := c.send(ctx, call{method: http.MethodGet, path: path, once: true, want: []int{http.StatusOK}})
	if err != nil {
		return err
	}
	drain(r)
	return nil
}
