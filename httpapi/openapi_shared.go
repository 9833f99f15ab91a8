package httpapi

import (
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// sharedEnums are closed sets that stand in more than one place of the description, and
// where each is taken from. By a name of its own each becomes one type in a generated
// client, not one for each place.
var sharedEnums = []struct{ name, schema, property string }{
	{"Verdict", "RunResult", "verdict"}, {"State", "JobStatus", "state"}, {"Priority", "JobStatus", "priority"},
	{"Compare", "RunRequest", "compare"}, {"Cores", "RunRequest", "cores"},
}

// shareEnums gives them their names, wherever a property of the same name has the same set.
func shareEnums(schemas map[string]*huma.Schema) {
	for _, shared := range sharedEnums {
		from := schemas[shared.schema].Properties[shared.property]
		for _, s := range schemas {
			if p := s.Properties[shared.property]; p != nil && p.Type == from.Type && slices.Equal(p.Enum, from.Enum) {
				s.Properties[shared.property] = &huma.Schema{Ref: "#/components/schemas/" + shared.name, Description: p.Description}
			}
		}
		schemas[shared.name] = &huma.Schema{Type: from.Type, Enum: from.Enum}
	}
}
