package httpapi

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"cordon/queue"
)

// registerJobs puts the routes of queued jobs into the API. A service without a queue
// has them, too, and says so.
func (s *Server) registerJobs(mux *http.ServeMux) {
	registry := s.api.OpenAPI().Components.Schemas
	huma.Register(s.api, huma.Operation{
		OperationID: "submitJob", Method: http.MethodPost, Path: jobsPath, Summary: "Queue a job", DefaultStatus: http.StatusAccepted,
		Description:  "The answer comes when the job would survive the loss of power. A job that /v1/run would refuse is refused at once, in the same way.",
		MaxBodyBytes: -1, BodyReadTimeout: -1, SkipValidateBody: true, // see receive
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}},
		Responses:   problems(registry, 400, 401, 403, 404, 408, 413, 415, 421, 422, 429, 431, 499, 500, 503, 507),
	}, s.submit)
	huma.Register(s.api, huma.Operation{
		OperationID: "listJobs", Method: http.MethodGet, Path: jobsPath, Summary: "List jobs by state, in pages",
		SkipValidateParams: true, // see listJobs
		Responses:          problems(registry, 401, 403, 404, 421, 422, 429, 431, 500),
	}, s.listJobs)
	huma.Register(s.api, huma.Operation{
		OperationID: "getJob", Method: http.MethodGet, Path: jobPath, Summary: "A job's state, and its result when it has ended",
		Responses: problems(registry, 401, 403, 404, 421, 429, 431, 499, 500, 503),
	}, s.getJob)
	huma.Register(s.api, huma.Operation{
		OperationID: "cancelJob", Method: http.MethodDelete, Path: jobPath, Summary: "Cancel a job",
		Description: "One that waits is not begun, and one that runs is ended: the answer comes when that has happened. What has ended stays as it is, and so it may be asked for more than once.",
		Responses:   problems(registry, 401, 403, 404, 421, 429, 431, 499, 500, 503, 507),
	}, s.cancelJob)
	// huma describes the raw body with a schema of its own.
	s.api.OpenAPI().Paths[jobsPath].Post.RequestBody.Content["application/json"].Schema = registry.Schema(typeOf[JobRequest](), true, "JobRequest")
	for _, p := range s.api.OpenAPI().Paths[jobsPath].Get.Parameters {
		switch p.Name {
		case "state":
			p.Schema.Enum = anys(queue.States)
		case "limit":
			least, most := 1.0, float64(maxPage)
			p.Schema = &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most}
		}
	}
	mux.Handle("GET "+eventsPath, s.hasQueue(http.HandlerFunc(s.events)))
	s.describeEvents(registry)
	s.describeWebhook(registry)
	mux.Handle("GET "+attachPath, s.hasQueue(s.audited(http.HandlerFunc(s.attach))))
	s.describeAttach(registry)
}

func anys[T any](all []T) (out []any) {
	for _, one := range all {
		out = append(out, one)
	}
	return out
}

// hasQueue answers for a service that has none.
func (s *Server) hasQueue(next http.Handler) http.Handler {
	if s.config.Jobs != nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turnAway(w, r, problem(CodeNotFound, "", "this service has no queue: it was started with --queue-jobs 0; POST "+runPath+" runs a job at once"))
	})
}

func (s *Server) describeEvents(registry huma.Registry) {
	op := &huma.Operation{OperationID: "jobEvents", Method: http.MethodGet, Path: eventsPath, Summary: "Follow a job",
		Description: "Server-sent events. state: the job as GET /v1/jobs/{id} has it, without a result. stdout, stderr: {offset, text} or {offset, base64}, of the attempt that runs, in the order in which it came, with at_ns, the time since the program was started, where that is known. " +
			"usage: a UsageSample, once a second or as often as usage_ms says. result: the job with its result, the last one. closing: there will be no more of them here, for the reason given. " +
			"Each has an id; a reader that sends it as Last-Event-ID goes on behind that event.",
		Parameters: []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}},
			{Name: "Last-Event-ID", In: "header", Description: "Id of the last event that was seen", Schema: &huma.Schema{Type: huma.TypeString}}, usageParam()},
		Responses: problems(registry, 401, 403, 404, 421, 422, 429, 431, 500, 503)}
	registry.Schema(typeOf[UsageSample](), true, "UsageSample")
	op.Responses["200"] = &huma.Response{Description: "Events", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}}}
	op.Responses["204"] = &huma.Response{Description: "Last-Event-ID is that of the last event: there are no more"}
	s.api.OpenAPI().AddOperation(op)
}

func (s *Server) describeAttach(registry huma.Registry) {
	text := &huma.Schema{Type: huma.TypeString}
	op := &huma.Operation{OperationID: "attachJob", Method: http.MethodGet, Path: attachPath, Summary: "Attach to a job over WebSocket",
		Description: "Speaks " + AttachProtocol + ", which docs/api.md describes: what the job prints as it comes, and for one that was submitted with interactive its input, the size of its terminal and signals.",
		Parameters: []*huma.Param{{Name: "id", In: "path", Required: true, Schema: text},
			{Name: "watch", In: "query", Description: "true: read only; several may. Else this client writes, and only one may", Schema: &huma.Schema{Type: huma.TypeBoolean}},
			{Name: "stdout", In: "query", Description: "Bytes of standard output that are known already", Schema: &huma.Schema{Type: huma.TypeInteger}},
			{Name: "stderr", In: "query", Description: "The same of standard error", Schema: &huma.Schema{Type: huma.TypeInteger}},
			usageParam(),
			{Name: "Sec-WebSocket-Protocol", In: "header", Description: AttachProtocol + "; browsers, which cannot set Authorization, offer bearer.TOKEN besides", Schema: text}},
		Responses: problems(registry, 400, 401, 403, 404, 421, 422, 426, 429, 431, 500, 503)}
	op.Responses["101"] = &huma.Response{Description: "The connection is a WebSocket now"}
	s.api.OpenAPI().AddOperation(op)
}

func usageParam() *huma.Param {
	least, most := float64(usageLeast.Milliseconds()), float64(usageUsual.Milliseconds())
	return &huma.Param{Name: "usage_ms", In: "query", Description: "Milliseconds between two samples of what is used; 1000 when absent", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most}}
}
