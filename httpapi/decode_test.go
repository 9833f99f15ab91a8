package httpapi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// refusedBodies is every way in which a body can be no request. Each goes through
// decodeRun and through the whole service.
var refusedBodies = []struct {
	name, body string
	code       Code
	path       string
	word       string // stands in the detail
}{
	{"unknown field", `{"comand":["true"]}`, CodeUnknownField, "comand", "openapi.yaml"},
	{"unknown field in an object", `{"limits":{"cpu":1}}`, CodeUnknownField, "limits.cpu", "limits.cpu"},
	{"unknown field in the build", `{"build":{"limits":{"x":1}}}`, CodeUnknownField, "build.limits.x", ""},
	{"unknown field in an array", `{"files":[{"path":"a","content":""},{"name":"b"}]}`, CodeUnknownField, "files[1].name", ""},
	{"name in capitals", `{"Policy":"judge"}`, CodeUnknownField, "Policy", ""},
	{"name of Go", `{"StdinBase64":""}`, CodeUnknownField, "StdinBase64", ""},
	{"inner name in capitals", `{"limits":{"PIDS":1}}`, CodeUnknownField, "limits.PIDS", ""},
	{"long unknown name", `{"` + strings.Repeat("é", 500) + `":1}`, CodeUnknownField, strings.Repeat("é", 32) + "…", ""},
	{"empty name", `{"":1}`, CodeUnknownField, "", ""},
	{"number as a name", `{"0":1}`, CodeUnknownField, "0", ""},

	{"duplicate key", `{"policy":"judge","policy":"dev"}`, CodeDuplicateKey, "policy", "more than once"},
	{"duplicate key, escaped", `{"policy":"judge","\u0070olicy":"dev"}`, CodeDuplicateKey, "policy", ""},
	{"duplicate limit", `{"limits":{"pids":1,"pids":2}}`, CodeDuplicateKey, "limits.pids", ""},
	{"duplicate in an array", `{"files":[{"path":"a","path":"b"}]}`, CodeDuplicateKey, "files[0].path", ""},
	{"duplicate variable", `{"env":{"A":"1","A":"2"}}`, CodeDuplicateKey, "env.A", ""},

	{"trailing object", `{"policy":"judge"} {}`, CodeTrailingData, "", "byte"},
	{"trailing word", `{"policy":"judge"}x`, CodeTrailingData, "", ""},
	{"trailing brace", `{"policy":"judge"}}`, CodeTrailingData, "", ""},
	{"trailing NUL", "{}\x00", CodeTrailingData, "", ""},

	{"empty", ``, CodeMalformed, "", "empty"},
	{"only spaces", " \n\t", CodeMalformed, "", "empty"},
	{"not JSON", `policy=judge`, CodeMalformed, "", "byte 0"},
	{"cut off", `{"policy":"ju`, CodeMalformed, "policy", ""},
	{"cut off between fields", `{"policy":"judge"`, CodeMalformed, "", "byte 17"},
	{"comma at the end", `{"policy":"judge",}`, CodeMalformed, "", ""},
	{"comment", "{/* x */}", CodeMalformed, "", ""},
	{"single quotes", `{'policy':'judge'}`, CodeMalformed, "", ""},
	{"byte order mark", "\ufeff{}", CodeMalformed, "", ""},
	{"NaN", `{"limits":{"cpus":NaN}}`, CodeMalformed, "limits.cpus", ""},
	{"leading zero", `{"limits":{"pids":01}}`, CodeMalformed, "limits", ""},
	{"invalid UTF-8", "{\"stdin\":\"a\xff\"}", CodeMalformed, "stdin", "UTF-8"},
	{"invalid UTF-8 in a name", "{\"\xff\":1}", CodeMalformed, "", "UTF-8"},
	{"half a surrogate pair", `{"source":"\ud800"}`, CodeMalformed, "source", "surrogate"},
	{"raw control character", "{\"stdin\":\"a\nb\"}", CodeMalformed, "stdin", ""},

	{"null", `null`, CodeWrongType, "", "null"},
	{"array", `[]`, CodeWrongType, "", "an object is wanted"},
	{"string", `"run"`, CodeWrongType, "", "an object is wanted"},
	{"number", `7`, CodeWrongType, "", "an object is wanted"},
	{"true", `true`, CodeWrongType, "", "boolean"},

	{"100 levels", nested(`{"limits":`, 100), CodeTooDeep, "", "32"},
	{"20000 levels", nested(`{"limits":`, 20000), CodeTooDeep, "", ""},
	{"20000 arrays", `{"files":` + strings.Repeat("[", 20000), CodeTooDeep, "", ""},
	{"deep in an unknown field", `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, CodeTooDeep, "", ""},
	{"just deep enough to be looked at", `{"x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, CodeUnknownField, "x", ""},
	{"one level more", `{"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, CodeTooDeep, "", ""},
}

func nested(open string, n int) string {
	return strings.Repeat(open, n) + "1" + strings.Repeat("}", n)
}

// jsonValue is one value of each JSON type.
var jsonValue = map[string]string{"null": "null", "boolean": "true", "string": `"s"`, "number": "1", "object": "{}", "array": "[]"}

// wrongTypes gives every field of a request every type that it does not have. The
// fields come from the struct, so that a new one is tried, too.
func wrongTypes() map[string]string {
	out := map[string]string{} // body → path
	var walk func(t reflect.Type, wrap func(string) string, path string)
	walk = func(t reflect.Type, wrap func(string) string, path string) {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		fits := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Struct: "object", reflect.Map: "object",
			reflect.Slice: "array", reflect.Int64: "number", reflect.Uint32: "number", reflect.Float64: "number"}[t.Kind()]
		for kind, value := range jsonValue {
			if kind != fits {
				out[wrap(value)] = path
			}
		}
		switch t.Kind() {
		case reflect.Struct:
			for i := range t.NumField() {
				name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
				below := name
				if path != "" {
					below = path + "." + name
				}
				walk(t.Field(i).Type, func(v string) string { return wrap(`{"` + name + `":` + v + `}`) }, below)
			}
		case reflect.Slice:
			walk(t.Elem(), func(v string) string { return wrap("[" + v + "]") }, path+"[0]")
		case reflect.Map:
			walk(t.Elem(), func(v string) string { return wrap(`{"1":` + v + `}`) }, path+".1")
		case reflect.Int64, reflect.Uint32:
			for _, v := range []string{"1.5", "1e3", "1E0", "9223372036854775808", "-9223372036854775809", "1e400", "99999999999999999999999"} {
				out[wrap(v)] = path
			}
		case reflect.Float64:
			out[wrap("1e400")] = path
		}
		if t.Kind() == reflect.Uint32 {
			out[wrap("-1")], out[wrap("4294967296")] = path, path
		}
	}
	walk(typeOf[RunRequest](), func(v string) string { return v }, "")
	return out
}

func TestDecodeRefuses(t *testing.T) {
	s := start(t, nil)
	for _, c := range refusedBodies {
		t.Run(c.name, func(t *testing.T) {
			r, p := decodeRun([]byte(c.body))
			if r != nil || p == nil {
				t.Fatalf("taken: %+v", r)
			}
			if p.Code != c.code || p.Path != c.path || p.Status != 400 || !strings.Contains(p.Detail, c.word) {
				t.Errorf("%d %s %q %s; want 400 %s %q with %q", p.Status, p.Code, p.Path, p.Detail, c.code, c.path, c.word)
			}
			if len(p.Detail) > 400 {
				t.Errorf("a detail of %d bytes: %s", len(p.Detail), p.Detail)
			}
			s.run(t, c.body).wants(t, c.code, c.path)
		})
	}
	if s.runner.count() != 0 {
		t.Errorf("%d jobs ran", s.runner.count())
	}
}

func TestDecodeWrongTypes(t *testing.T) {
	s := start(t, nil)
	bodies := wrongTypes()
	if len(bodies) < 300 {
		t.Fatalf("only %d bodies: the fields were not found", len(bodies))
	}
	for body, path := range bodies {
		_, p := decodeRun([]byte(body))
		if p == nil || p.Code != CodeWrongType || p.Path != path || p.Status != 400 || !strings.Contains(p.Detail, "is wanted") {
			t.Errorf("%s: %+v, want %s at %q", body, p, CodeWrongType, path)
		}
		s.run(t, body).wants(t, CodeWrongType, path)
	}
	if s.runner.count() != 0 {
		t.Errorf("%d jobs ran", s.runner.count())
	}
}

// TestDecodeAsDescribed: what the decoder refuses for its shape, the published
// schema refuses, too, so that a client can check before it sends.
func TestDecodeAsDescribed(t *testing.T) {
	c := agreed(t)
	bodies := []string{}
	for _, r := range refusedBodies {
		if r.code == CodeUnknownField || r.code == CodeWrongType {
			bodies = append(bodies, r.body)
		}
	}
	for body := range wrongTypes() {
		bodies = append(bodies, body)
	}
	for _, body := range bodies {
		var v any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			continue // beyond what Go holds in a number
		}
		// A whole number is one to JSON Schema however it is written or large.
		if strings.Contains(body, "1e3") || strings.Contains(body, "1E0") || strings.Contains(body, "99999") || strings.Contains(body, "92233") {
			continue
		}
		if err := c.request.Validate(v); err == nil && !strings.Contains(body, "4294967296") {
			t.Errorf("openapi.yaml takes %.200s", body)
		}
	}
}

// everything sets each field of a request.
const everything = `{"policy":"dev","language":"c","source":"s","files":[{"path":"a","content":"x","mode":493},{"path":"b","base64":"eA=="}],
"command":["./main","1"],"build":{"command":["make"],"limits":{"cpu_ms":1}},"stdin":"in","stdin_base64":"aW4=","stdin_sha256":"ab","expect_sha256":"cd","keep_outputs":true,"env":{"A":"1","0":"2"},
"limits":{"cpu_ms":1,"wall_ms":2,"memory_bytes":3,"pids":4,"output_bytes":5,"disk_bytes":6,"disk_files":7,"open_files":8,"file_bytes":9,
"stack_bytes":10,"cpus":1.5},"outputs":["*.png"],"expect":"x","expect_base64":"eA==","compare":"float","tolerance":{"abs":1e-6,"rel":1},
"tests":[{"name":"1","args":["x"],"stdin":"1","expect":"2","limits":{"cpu_ms":1}}],"checker":{"style":"kattis","command":["./check"]},"interactor":{"command":["./talk"]},
"programs":[{"name":"a","same_as":"main","args":["x"]}],"pipes":[{"from":"main","to":"a:3"}],"cores":"apart","transcript_bytes":100,
"measure":{"pin":true,"repeat":3,"warm_up":true},"parallel_tests":2,"stop_on_first_failure":true,"keep_output_bytes":1,"writable_root":true,"root_dirs":["/opt/x"],"timeline":true,"inspect":true}`

func TestDecodeTakes(t *testing.T) {
	r, p := decodeRun([]byte(" \n" + everything + "\n "))
	if p != nil {
		t.Fatal(p)
	}
	v := reflect.ValueOf(*r)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not set", v.Type().Field(i).Name)
		}
	}
	l := reflect.ValueOf(r.Limits)
	for i := range l.NumField() {
		if l.Field(i).IsNil() {
			t.Errorf("limits: %s is not set", l.Type().Field(i).Name)
		}
	}
	if *r.Limits.StackBytes != 10 || *r.Limits.CPUs != 1.5 || *r.Build.Limits.CPUMillis != 1 || *r.Files[0].Mode != 0o755 || r.Env["0"] != "2" {
		t.Errorf("%+v", r)
	}
	var whole any
	if err := json.Unmarshal([]byte(everything), &whole); err != nil {
		t.Fatal(err)
	}
	if err := agreed(t).request.Validate(whole); err != nil {
		t.Errorf("openapi.yaml refuses what is taken: %v", err)
	}
	for _, body := range []string{`{}`, `{"limits":{"pids":-5}}`, `{"limits":{"pids":9223372036854775807,"cpus":1e3}}`, `{"stdin":"\u0000\ud83d\ude00"}`, `{"files":[]}`} {
		if _, p := decodeRun([]byte(body)); p != nil {
			t.Errorf("%s: %v", body, p)
		}
	}
}

// Values count together, however they are nested; what is in strings does not.
func TestTooManyValues(t *testing.T) {
	nested := strings.Repeat(`{"files":[`+strings.TrimSuffix(strings.Repeat("{},", 60_000), ",")+`]},`, 9)
	for body, refused := range map[string]bool{
		`{"tests":[` + strings.TrimSuffix(nested, ",") + `]}`:                               true,
		`{"command":[` + strings.TrimSuffix(strings.Repeat(`"",`, maxValues+2), ",") + `]}`: true,
		`{"stdin":"` + strings.Repeat(`,\"`, maxValues) + `"}`:                              false,
	} {
		_, p := decodeRun([]byte(body))
		if refused != (p != nil) || p != nil && (p.Code != CodeTooLarge || !strings.Contains(p.Detail, "524288 values")) {
			t.Errorf("%.40s: %v", body, p)
		}
	}
}
