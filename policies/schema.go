package policies

import (
	_ "embed"
	"slices"
)

//go:embed policy.schema.json
var schema []byte

// Schema is the JSON Schema of a policy document, for editors. It is made from
// the types and tables of package policy: go test ./policies -update.
func Schema() []byte { return slices.Clone(schema) }
