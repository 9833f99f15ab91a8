package httpapi

import (
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// sharedEnums are closed sets that stand in more than one place of the description: by a
// name of its own each becomes one type in a generated client, not one for each place.
var sharedEnums = map[string]string{"verdict": "Verdict", "state": "State", "priority": "Priority", "compare": "Compare", "cores": "Cores"}

// shareEnums gives them their names. A property of the same name with another set keeps its
// own.
func shareEnums(schemas map[string]*huma.Schema) {
	names := make([]string, 0, len(schemas))
	for name := range schemas {
		names = append(names, name)
	}
	slices.Sort(names) // the first to have a set gives it its description
	found := map[string]*huma.Schema{}
	for _, name := range names {
		for property, shared := range sharedEnums {
			p := schemas[name].Properties[property]
			if p == nil || p.Ref != "" || p.Type != huma.TypeString || len(p.Enum) == 0 {
				continue
			}
			if found[shared] == nil {
				found[shared] = &huma.Schema{Type: huma.TypeString, Enum: p.Enum}
			}
			if slices.Equal(found[shared].Enum, p.Enum) {
				schemas[name].Properties[property] = &huma.Schema{Ref: "#/components/schemas/" + shared, Description: p.Description}
			}
		}
	}
	for shared, schema := range found {
		schemas[shared] = schema
	}
}
