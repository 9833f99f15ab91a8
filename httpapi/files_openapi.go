package httpapi

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// describeFiles adds the routes of files to the description.
func (s *Server) describeFiles() {
	registry := s.api.OpenAPI().Components.Schemas
	content := func() map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
	}
	kept := func(description string) *huma.Response {
		return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
			"application/json": {Schema: registry.Schema(typeOf[KeptFile](), true, "KeptFile")}}}
	}
	size := func() *huma.Response {
		return &huma.Response{Description: "The file", Content: content(),
			Headers: map[string]*huma.Param{"Content-Length": {Description: "Its size in bytes", Schema: &huma.Schema{Type: huma.TypeInteger}}}}
	}
	add := func(method, id, summary, description string, responses map[string]*huma.Response, statuses ...int) *huma.Operation {
		op := &huma.Operation{OperationID: id, Method: method, Path: filesPath, Summary: summary, Description: description,
			Parameters: []*huma.Param{{Name: "sha256", In: "path", Required: true, Description: "SHA-256 of the content, as sha256sum prints it",
				Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9a-f]{64}$"}}},
			Responses: problems(registry, append(statuses, 401, 403, 404, 421, 422, 429, 431)...)}
		for status, r := range responses {
			op.Responses[status] = r
		}
		s.api.OpenAPI().AddOperation(op)
		return op
	}
	put := add(http.MethodPut, "putFile", "Keep a file by its content",
		"The body is the file as it is, of any type, with or without a length. What is there already is read and compared. A file stays until room or time runs out, "+
			"or it is deleted; one that is in use stays.",
		map[string]*huma.Response{"200": kept("It was there already"), "201": kept("It is there now")}, 400, 408, 413, 415, 500, 503, 507)
	put.RequestBody = &huma.RequestBody{Required: true, Content: content()}
	add(http.MethodGet, "getFile", "Read a file", "Counts as use.", map[string]*huma.Response{"200": size()}, 500, 503)
	add(http.MethodHead, "headFile", "Ask for a file's size", "Does not count as use. Answers have no body.", map[string]*huma.Response{"200": size()}, 503)
	add(http.MethodDelete, "deleteFile", "Delete a file", "One that is in use is not deleted.",
		map[string]*huma.Response{"204": {Description: "It is gone"}}, 409, 500, 503)
}
