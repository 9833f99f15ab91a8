package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"cordon/internal/testkit"
)

// schema is a type of Kubernetes' API, as its client library describes it: a name of one,
// or any of scalar, list and map.
type schema struct {
	Name      string
	NamedType string `yaml:"namedType"`
	Scalar    string
	List      *struct {
		ElementType schema `yaml:"elementType"`
	}
	Map *struct {
		Fields []struct {
			Name string
			Type schema
		}
		ElementType *schema `yaml:"elementType"`
	}
}

// schemas are all types by their names.
func schemas(t *testing.T) map[string]*schema {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(testkit.Root(t), "bin", "kubernetes-*.yaml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("the types of Kubernetes are not here: %v; \"test/deps test\" brings them", err)
	}
	text, err := os.ReadFile(slices.Max(names))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Types []schema }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	out := map[string]*schema{}
	for i := range file.Types {
		out[file.Types[i].Name] = &file.Types[i]
	}
	return out
}

// check gives what a value has that its type has not.
func check(all map[string]*schema, s *schema, path string, value any) (problems []string) {
	if s.NamedType != "" {
		if s = all[s.NamedType]; s == nil {
			return []string{path + ": its type is not known"}
		}
	}
	wrong := func(want string) []string {
		return []string{fmt.Sprintf("%s: %T given, %s is wanted", path, value, want)}
	}
	switch v := value.(type) {
	case map[string]any:
		if s.Map == nil {
			return wrong("no map")
		}
		for key, one := range v {
			at := slices.IndexFunc(s.Map.Fields, func(f struct {
				Name string
				Type schema
			}) bool {
				return f.Name == key
			})
			switch {
			case at >= 0:
				problems = append(problems, check(all, &s.Map.Fields[at].Type, path+"."+key, one)...)
			case s.Map.ElementType != nil && len(s.Map.Fields) == 0:
				problems = append(problems, check(all, s.Map.ElementType, path+"."+key, one)...)
			default:
				problems = append(problems, path+"."+key+": there is no such field")
			}
		}
	case []any:
		if s.List == nil {
			return wrong("no list")
		}
		for i, one := range v {
			problems = append(problems, check(all, &s.List.ElementType, fmt.Sprintf("%s[%d]", path, i), one)...)
		}
	default:
		if fits := scalars[s.Scalar]; fits == nil || !fits(value) {
			return wrong(s.Scalar)
		}
	}
	return problems
}

// scalars are the kinds of those.
var scalars = map[string]func(any) bool{
	"string":  isA[string],
	"boolean": isA[bool],
	"numeric": func(v any) bool { return isA[uint64](v) || isA[int64](v) || isA[float64](v) },
	"untyped": func(v any) bool { return v != nil }, // a quantity, a port
}

func isA[T any](v any) bool { _, ok := v.(T); return ok }

// objects are those of all manifests; a field that is there twice is an error.
func objects(t *testing.T) (out []map[string]any) {
	t.Helper()
	names, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(names) < 5 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		if filepath.Base(name) == "kustomization.yaml" {
			continue
		}
		d := yaml.NewDecoder(bytes.NewReader([]byte(read(t, name))), yaml.Strict())
		for {
			var one map[string]any
			if err := d.Decode(&one); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out = append(out, one)
		}
	}
	return out
}

// at walks into an object by names and numbers.
func at(t *testing.T, value any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch key := p.(type) {
		case string:
			m, ok := value.(map[string]any)
			if !ok {
				t.Fatalf("%v: no map at %q", path, key)
			}
			value = m[key]
		case int:
			l, ok := value.([]any)
			if !ok || len(l) <= key {
				t.Fatalf("%v: no list at %d", path, key)
			}
			value = l[key]
		}
	}
	return value
}

// find gives one object.
func find(t *testing.T, kind, name string) map[string]any {
	t.Helper()
	for _, o := range objects(t) {
		if o["kind"] == kind && at(t, o, "metadata", "name") == name {
			return o
		}
	}
	t.Fatalf("no %s %s", kind, name)
	return nil
}

func typeOf(t *testing.T, o map[string]any) *schema {
	t.Helper()
	group, version, found := strings.Cut(fmt.Sprint(o["apiVersion"]), "/")
	if !found {
		group, version = "core", group
	}
	group, _, _ = strings.Cut(group, ".")
	return &schema{NamedType: fmt.Sprintf("io.k8s.api.%s.%s.%s", group, version, o["kind"])}
}

// TestKubernetesFields: every field is one of Kubernetes', and has the kind of value that
// it wants.
func TestKubernetesFields(t *testing.T) {
	all := schemas(t)
	for _, o := range objects(t) {
		name := fmt.Sprint(o["kind"], " ", at(t, o, "metadata", "name"))
		for _, problem := range check(all, typeOf(t, o), "", o) {
			t.Errorf("%s: %s", name, problem)
		}
	}
	worker := find(t, "Deployment", "cordon-worker")
	pod := at(t, worker, "spec", "template", "spec").(map[string]any)
	pod["hostUser"] = false
	at(t, pod, "containers", 0, "securityContext").(map[string]any)["privileged"] = "no"
	at(t, worker, "spec").(map[string]any)["replicas"] = "three"
	got := check(all, typeOf(t, worker), "", worker)
	slices.Sort(got)
	want := []string{".spec.replicas: string given, numeric is wanted",
		".spec.template.spec.containers[0].securityContext.privileged: string given, boolean is wanted",
		".spec.template.spec.hostUser: there is no such field"}
	if !slices.Equal(got, want) {
		t.Errorf("mistakes were not found: %q", got)
	}
}

// TestKubernetesBelongsTogether: what names something else names what is there.
func TestKubernetesBelongsTogether(t *testing.T) {
	kustomization := read(t, "kubernetes/kustomization.yaml")
	for _, name := range []string{"namespace", "config", "api", "worker", "network"} {
		if !strings.Contains(kustomization, "- "+name+".yaml\n") {
			t.Errorf("%s.yaml is not in the kustomization", name)
		}
	}
	drain, err := time.ParseDuration(fmt.Sprint(at(t, find(t, "ConfigMap", "cordon"), "data", "CORDON_DRAIN")))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cordon-api", "cordon-worker"} {
		d := find(t, "Deployment", name)
		labels := fmt.Sprint(at(t, d, "spec", "template", "metadata", "labels"))
		for _, selector := range []any{at(t, d, "spec", "selector", "matchLabels"), at(t, find(t, "PodDisruptionBudget", name), "spec", "selector", "matchLabels"),
			at(t, find(t, "NetworkPolicy", name), "spec", "podSelector", "matchLabels")} {
			for key, value := range selector.(map[string]any) {
				if !strings.Contains(labels, key+":"+fmt.Sprint(value)) {
					t.Errorf("%s: a selector wants %s=%v, the pods have %s", name, key, value, labels)
				}
			}
		}
		pod := at(t, d, "spec", "template", "spec")
		if grace, err := strconv.Atoi(fmt.Sprint(at(t, pod, "terminationGracePeriodSeconds"))); err != nil || time.Duration(grace)*time.Second < drain+20*time.Second {
			t.Errorf("%s: %d s to end, and the service drains for %v", name, grace, drain)
		}
		container := at(t, pod, "containers", 0)
		for probe, path := range map[string]string{"readinessProbe": "/readyz", "livenessProbe": "/healthz", "startupProbe": "/readyz"} {
			if got := at(t, container, probe, "httpGet", "path"); got != path {
				t.Errorf("%s: %s asks for %v, want %s", name, probe, got, path)
			}
			if got, port := at(t, container, probe, "httpGet", "port"), at(t, container, "ports", 0, "name"); got != port {
				t.Errorf("%s: %s asks port %v, there is %v", name, probe, got, port)
			}
		}
		mounted := fmt.Sprint(at(t, container, "volumeMounts"))
		for _, v := range at(t, pod, "volumes").([]any) {
			if !strings.Contains(mounted, fmt.Sprint("name:", at(t, v, "name"))) {
				t.Errorf("%s: volume %v is not mounted", name, at(t, v, "name"))
			}
		}
		variables(t, name, container)
	}
	for name := range at(t, find(t, "ConfigMap", "cordon"), "data").(map[string]any) {
		documented(t, name)
	}
}

func variables(t *testing.T, name string, container any) {
	t.Helper()
	for _, e := range at(t, container, "env").([]any) {
		documented(t, fmt.Sprint(at(t, e, "name")))
	}
	if args := fmt.Sprint(at(t, container, "args")); !strings.HasPrefix(args, "[serve --role "+strings.TrimPrefix(name, "cordon-")+" ") {
		t.Errorf("%s: started with %s", name, args)
	}
}

// documented: a variable is one that the service reads.
func documented(t *testing.T, variable string) {
	t.Helper()
	if !strings.Contains(read(t, "../docs/configuration.md"), "`"+variable+"`") {
		t.Errorf("%s is not in docs/configuration.md", variable)
	}
}

// TestPodsHaveNoMore than they need: api pods what "restricted" allows, workers the little
// besides that docs/deploy.md explains.
func TestPodsHaveNoMore(t *testing.T) {
	api, worker := find(t, "Deployment", "cordon-api"), find(t, "Deployment", "cordon-worker")
	for _, d := range []map[string]any{api, worker} {
		pod := at(t, d, "spec", "template", "spec")
		for _, never := range []string{"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} {
			if v := at(t, pod, never); v != nil {
				t.Errorf("%s: %v", never, v)
			}
		}
		for _, v := range at(t, pod, "volumes").([]any) {
			if at(t, v, "hostPath") != nil {
				t.Errorf("a directory of the node: %v", v)
			}
		}
		if at(t, pod, "automountServiceAccountToken") != false || at(t, pod, "containers", 0, "securityContext", "readOnlyRootFilesystem") != true {
			t.Error("a token of the API server, or a root that can be written")
		}
	}
	for _, c := range []struct {
		of   map[string]any
		path []any
		want any
	}{
		{api, []any{"securityContext", "runAsNonRoot"}, true},
		{api, []any{"securityContext", "seccompProfile", "type"}, "RuntimeDefault"},
		{api, []any{"containers", 0, "securityContext", "allowPrivilegeEscalation"}, false},
		{api, []any{"containers", 0, "securityContext", "capabilities"}, map[string]any{"drop": []any{"ALL"}}},
		{worker, []any{"hostUsers"}, false},
		{worker, []any{"runtimeClassName"}, at(t, find(t, "RuntimeClass", "cordon"), "metadata", "name")},
		{worker, []any{"securityContext", "seccompProfile", "localhostProfile"}, "cordon.json"},
		{worker, []any{"containers", 0, "securityContext", "privileged"}, false},
		{worker, []any{"containers", 0, "securityContext", "procMount"}, "Unmasked"},
		{worker, []any{"containers", 0, "securityContext", "capabilities"}, map[string]any{"drop": []any{"ALL"}, "add": []any{"CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"}}},
	} {
		if got := at(t, at(t, c.of, "spec", "template", "spec"), c.path...); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v is %v, want %v", c.path, got, c.want)
		}
	}
	resources := at(t, worker, "spec", "template", "spec", "containers", 0, "resources")
	if fmt.Sprint(at(t, resources, "requests")) != fmt.Sprint(at(t, resources, "limits")) {
		t.Errorf("not of the class Guaranteed: %v", resources)
	}
}

// TestImage: the image is as the manifests say.
func TestImage(t *testing.T) {
	text := read(t, "container/Containerfile")
	uid := regexp.MustCompile(`useradd --uid (\d+)`).FindStringSubmatch(text)
	ids := regexp.MustCompile(`cordon:(\d+):(\d+) > /etc/sub([ug])id`).FindAllStringSubmatch(text, -1)
	if uid == nil || len(ids) != 2 || ids[0][3] == ids[1][3] {
		t.Fatalf("%v %v", uid, ids)
	}
	for _, m := range ids {
		first, err1 := strconv.Atoi(m[1])
		count, err2 := strconv.Atoi(m[2])
		user, err3 := strconv.Atoi(uid[1])
		if err := errors.Join(err1, err2, err3); err != nil || first <= user || count < 2 || first+count > 65536 {
			t.Errorf("user %s, ids %s: outside of what a pod has", uid[1], m[0])
		}
	}
	if api := at(t, find(t, "Deployment", "cordon-api"), "spec", "template", "spec", "securityContext", "runAsUser"); fmt.Sprint(api) != uid[1] {
		t.Errorf("api pods run as %v, the image has %s", api, uid[1])
	}
	stages := regexp.MustCompile(`(?m)^FROM \$\{(\w+)\}`).FindAllStringSubmatch(text, -1)
	if len(stages) != 2 {
		t.Fatalf("%v", stages)
	}
	for _, s := range stages {
		if !regexp.MustCompile(`(?m)^ARG ` + s[1] + `=\S+:\S+$`).MatchString(text) {
			t.Errorf("%s has no image with a tag", s[1])
		}
	}
	if last := text[strings.LastIndex(text, "FROM "):]; !strings.Contains(last, "\nUSER "+uid[1]+":"+uid[1]+"\n") {
		t.Error("the image starts as root")
	}
	for _, m := range regexp.MustCompile(`(?m)^COPY (deploy/\S+) `).FindAllStringSubmatch(text, -1) {
		if info, err := os.Stat(filepath.Join("..", m[1])); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v", m[1], err)
		}
	}
}
