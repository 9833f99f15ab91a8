package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const runPath = "/v1/run"

// description is the head of openapi.yaml.
func description(version string) huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "Cordon", Version: "1", License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
				Description: "Runs untrusted code in rootless, single-use sandboxes. Units are in the names: _ms, _ns, _bytes."},
			Components: &huma.Components{Schemas: registry, SecuritySchemes: map[string]*huma.SecurityScheme{
				"token": {Type: "http", Scheme: "bearer", Description: "The token that cordon token prints, or a key of a tenant, as cordon key add makes them. A key may do what its scopes say."}}},
			Security: []map[string][]string{{"token": {}}},
		},
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
	}
}

func (s *Server) register() {
	registry := s.api.OpenAPI().Components.Schemas
	huma.Register(s.api, huma.Operation{
		OperationID: "run", Method: http.MethodPost, Path: runPath, Summary: "Run a job and wait for its result",
		Description:  "Everything about the program is in the result, with status 200; a status of 4xx or 5xx means that the job did not run.",
		MaxBodyBytes: -1, BodyReadTimeout: -1, SkipValidateBody: true, // see receive
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}},
		Responses:   problems(registry, 400, 401, 403, 408, 413, 415, 421, 422, 429, 431, 499, 500, 503),
	}, s.run)
	huma.Register(s.api, huma.Operation{
		OperationID: "policies", Method: http.MethodGet, Path: "/v1/policies", Summary: "List the policies with their limits",
		Responses: problems(registry, 401, 403, 421, 429, 431, 500),
	}, s.listPolicies)
	huma.Register(s.api, huma.Operation{
		OperationID: "languages", Method: http.MethodGet, Path: "/v1/languages", Summary: "List the languages, installed or not",
		Responses: problems(registry, 401, 403, 421, 429, 431, 500),
	}, s.listLanguages)
	huma.Register(s.api, huma.Operation{
		OperationID: "images", Method: http.MethodGet, Path: "/v1/images", Summary: "List the images that jobs can name",
		Responses: problems(registry, 401, 403, 421, 429, 431, 500),
	}, s.listImages)
	huma.Register(s.api, huma.Operation{
		OperationID: "doctor", Method: http.MethodGet, Path: "/v1/doctor", Summary: "What this host offers",
		Responses: problems(registry, 401, 403, 421, 429, 431, 500),
	}, s.doctor)
	// huma describes the raw body with a schema of its own.
	body := s.api.OpenAPI().Paths[runPath].Post.RequestBody.Content["application/json"]
	body.Schema = requestSchema(registry)
	s.describePlain()
}

func requestSchema(r huma.Registry) *huma.Schema {
	return r.Schema(typeOf[RunRequest](), true, "RunRequest")
}

// problems declares the answers that are not a result.
func problems(r huma.Registry, statuses ...int) map[string]*huma.Response {
	out := map[string]*huma.Response{}
	schema := r.Schema(typeOf[Problem](), true, "Problem")
	for _, status := range statuses {
		out[itoa(status)] = &huma.Response{Description: title(status),
			Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}}}
	}
	return out
}

// describePlain adds the routes that are not JSON.
func (s *Server) describePlain() {
	text := func(id, path, summary, media string, statuses ...int) {
		op := &huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary,
			Responses: problems(s.api.OpenAPI().Components.Schemas, 403, 421, 431)}
		if open[path] {
			op.Security = []map[string][]string{}
		} else {
			op.Responses = problems(s.api.OpenAPI().Components.Schemas, 401, 403, 421, 429, 431)
		}
		for _, status := range statuses {
			op.Responses[itoa(status)] = &huma.Response{Description: http.StatusText(status),
				Content: map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: huma.TypeString}}}}
		}
		s.api.OpenAPI().AddOperation(op)
	}
	text("healthz", "/healthz", "The process lives", "text/plain", 200)
	text("readyz", "/readyz", "Jobs are taken", "text/plain", 200, 503)
	text("metrics", "/metrics", "Counters in the Prometheus text format", "text/plain", 200)
	text("openapi", "/openapi.yaml", "This description", "application/yaml", 200)
}

// empty is the input of a route without any.
type empty struct{}

// answer is a JSON body.
type answer[T any] struct{ Body T }

// doctor looks at the host anew.
func (s *Server) doctor(ctx context.Context, _ *empty) (*answer[any], error) {
	report, err := s.config.Doctor(ctx)
	if err != nil {
		return nil, problem(CodeInternal, "", "the host could not be examined: "+err.Error())
	}
	return &answer[any]{report}, nil
}
