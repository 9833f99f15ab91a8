package main

import (
	"fmt"
	"strconv"
	"strings"

	"cordon/policy"
)

// parseRequest reads FIELD=VALUE arguments into a request, for `cordon policy
// explain`. It judges nothing: that is the policy's part.
func parseRequest(args []string) (policy.Request, error) {
	var q policy.Request
	for _, arg := range args {
		field, value, ok := strings.Cut(arg, "=")
		if !ok {
			return q, fmt.Errorf("given %q, allowed: FIELD=VALUE, as in cpu_ms=2000; write both parts", arg)
		}
		if err := setField(&q, field, value); err != nil {
			return q, err
		}
	}
	return q, nil
}

func setField(q *policy.Request, field, value string) error {
	if name, ok := strings.CutPrefix(field, "build.limits."); ok {
		q.HasBuild = true
		return q.BuildLimits.Set(name, value)
	}
	switch field {
	case "writable_root", "id_range", "interactive", "interactive.tty":
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%s: given %q, allowed: true or false; write one of them", field, value)
		}
		switch field {
		case "writable_root":
			q.WritableRoot = b
		case "id_range":
			q.IDRange = b
		case "interactive":
			q.Interactive = b
		default:
			q.Interactive, q.Terminal = q.Interactive || b, b
		}
		return nil
	case "image":
		q.Image = askedImage(value)
		return nil
	case "root_dirs":
		q.RootDirs = strings.Split(value, ":")
		return nil
	case "files", "stdin", "outputs", "env":
		return setCount(q, field, value)
	}
	return q.Limits.Set(strings.TrimPrefix(field, "limits."), value)
}

// countMax keeps a mistyped count from taking the memory of this program: the
// request holds a name for each. It is above every cap a policy may set.
const countMax = 1 << 30

func setCount(q *policy.Request, field, value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > countMax {
		return fmt.Errorf("%s: given %q, allowed: 0 to %d; write how many, or for stdin how many bytes", field, value, countMax)
	}
	switch field {
	case "files":
		q.Files = int(n)
	case "stdin":
		q.StdinBytes = n
	case "outputs":
		q.Outputs = names(n)
	case "env":
		q.Env = names(n)
	}
	return nil
}

// names stands for so many names that nobody reads. No cap on names is above
// 65536, so one more is as good as any number beyond.
func names(n int64) []string { return make([]string, min(n, 1<<16+1)) }
