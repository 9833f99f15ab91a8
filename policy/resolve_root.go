package policy

import (
	"fmt"
	"slices"
)

// root gives the policy's root, or the directories the job chooses.
func (r *resolver) root() {
	rules, q := &r.policy.Root, r.request
	root := Root{Kind: rules.Kind, Writable: rules.Writable.Default}
	for _, d := range rules.Dirs {
		root.Dirs = append(root.Dirs, d.Path)
	}
	if q.Image != nil {
		root.Kind, root.Dirs, root.Image = RootImage, nil, q.Image.ID
		r.image(rules.Images)
	} else if len(q.RootDirs) > 0 {
		root.Kind, root.Dirs = RootDirs, slices.Clone(q.RootDirs)
		r.chosen(rules.JobMayChooseDirs)
	} else {
		r.row("root.kind", rules.Kind, SourcePolicy, rules.Reason)
		for _, d := range rules.Dirs {
			r.row("root.dirs", d.Path, SourcePolicy, d.Reason)
		}
	}
	root.IDRange = r.idRange(rules.IDRange)
	source := SourceDefault
	if q.WritableRoot {
		source = SourceAsked
		if root.Writable = rules.Writable.Allowed; !root.Writable {
			source = SourceRefused
			r.deny("writable_root", "true", "false", "write below /work or /tmp, or use a policy that allows it")
		}
	}
	if r.explain {
		r.rows = append(r.rows, Row{Field: "root.writable", Value: fmt.Sprint(q.WritableRoot || root.Writable), Source: source,
			Max: fmt.Sprint(rules.Writable.Allowed), Reason: rules.Writable.Reason})
	}
	r.grant.Root = root
}

// chosen judges the directories a job names. The same rules hold for them as
// for those of a policy.
func (r *resolver) chosen(rule *ChoiceRule) {
	dirs, before := r.request.RootDirs, len(r.denials)
	asked := fmt.Sprintf("%q", dirs)
	if !rule.Allowed {
		r.deny("root_dirs", asked, "the root of the policy", "leave root_dirs out, or use a policy that lets jobs choose")
	}
	if len(dirs) > maxRootDirs {
		r.deny("root_dirs", fmt.Sprintf("%d directories", len(dirs)), fmt.Sprintf("at most %d", maxRootDirs), "merge some of them")
	}
	for i, d := range dirs {
		field := fmt.Sprintf("root_dirs[%d]", i)
		if allowed := dirProblem(d, RootDirs); allowed != "" {
			r.deny(field, fmt.Sprintf("%q", d), allowed, "name another directory")
		}
		if slices.Contains(dirs[:i], d) {
			r.deny(field, fmt.Sprintf("%q twice", d), "every directory once", "take one of them out")
		}
	}
	source := SourceAsked
	if len(r.denials) > before {
		source = SourceRefused
	}
	r.row("root.dirs", asked, source, rule.Reason)
}
