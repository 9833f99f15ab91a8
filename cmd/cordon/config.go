package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"cordon/audit"
	"cordon/httpapi"
	"cordon/queue"
	"cordon/tenants"
)

// config is how the service is run. A flag wins over its CORDON_… variable, and
// that over the file.
type config struct {
	Listen    string `yaml:"listen"`     // TCP address of the API
	Socket    string `yaml:"socket"`     // path of a unix socket for the API, besides or instead of TCP
	AllowHost string `yaml:"allow-host"` // further names under which clients reach the API, with commas between
	State     string `yaml:"state"`      // directory of the token and the runtime files
	Policies  string `yaml:"policies"`   // directory of the operator's policies
	Cgroup    string `yaml:"cgroup"`     // delegated cgroup directory
	GoCache   string `yaml:"go-cache"`   // directory of Go's prepared build cache, or noGoCache
	Languages string `yaml:"languages"`  // names of the languages to offer, with commas between; empty: all

	Tenants string `yaml:"tenants"` // file of tenants, their keys and limits

	LanguageDir string `yaml:"language-dir"` // directory of the operator's languages

	FilesBytes string `yaml:"files-bytes"` // size of all files that are kept by their content; 0: none are
	FilesTTL   string `yaml:"files-ttl"`   // how long a file stays that nobody uses; 0: until its room is needed

	Snippets string `yaml:"snippets"` // off, on, or their directory

	BuildsBytes string `yaml:"builds-bytes"` // size of what builds have left, kept for the same builds to come

	CPUScale string `yaml:"cpu-scale"` // limits of CPU time and wall time are multiplied by it

	QueueJobs     int    `yaml:"queue-jobs"`     // jobs that may wait in the queue of POST /v1/jobs; 0: there is none
	QueueBytes    string `yaml:"queue-bytes"`    // of their requests
	QueueTTL      string `yaml:"queue-ttl"`      // how long a job may wait there
	QueueParallel int    `yaml:"queue-parallel"` // jobs of the queue that run at once; 0: as many as run at all
	ResultsTTL    string `yaml:"results-ttl"`    // how long a result is kept; 0: until its room is needed
	ResultsBytes  string `yaml:"results-bytes"`  // of all results

	QueueURL         string `yaml:"queue-url"`         // NATS servers that hold the queue; empty: this process does
	QueueCredentials string `yaml:"queue-credentials"` // file
	QueueCA          string `yaml:"queue-ca"`          // file
	QueueCert        string `yaml:"queue-cert"`        // file
	QueueKey         string `yaml:"queue-key"`         // file
	QueueReplicas    int    `yaml:"queue-replicas"`    // of the stream on those servers

	Role            string `yaml:"role"`              // roleAll, roleAPI or roleWorker
	QueueListen     string `yaml:"queue-listen"`      // address at which other services reach the queue of this one
	QueueListenCert string `yaml:"queue-listen-cert"` // file
	QueueListenKey  string `yaml:"queue-listen-key"`  // file
	QueueListenCA   string `yaml:"queue-listen-ca"`   // file
	QueueSecret     string `yaml:"queue-secret"`      // file with what services show to each other
	QueueLease      string `yaml:"queue-lease"`       // how long a service may be cut off from the queue
	Overcommit      string `yaml:"overcommit"`        // how many times what the host has jobs may be promised
	WebhookHosts    string `yaml:"webhook-hosts"`     // that may be told when jobs have ended, with commas between
	WebhookSecret   string `yaml:"webhook-secret"`    // file; empty: in the state directory
	WebhookCA       string `yaml:"webhook-ca"`        // file
	WebhookTTL      string `yaml:"webhook-ttl"`       // how long it is tried to deliver one

	AuditLog    string `yaml:"audit-log"`    // file, or - for the standard output; empty: none
	AuditSource string `yaml:"audit-source"` // on: with the source texts of jobs

	Parallel int    `yaml:"parallel"`  // jobs that run at once
	Queue    int    `yaml:"queue"`     // jobs that wait for a place, besides those that run
	Warm     int    `yaml:"warm"`      // warm cells kept of each kind, at least
	WarmMost int    `yaml:"warm-most"` // and at most; 0: four for each job that runs at once
	Drain    string `yaml:"drain"`     // how long running jobs may go on at the end
	LogLevel string `yaml:"log-level"` // the least that is logged
}

// noGoCache as the directory of Go's cache means: none.
const noGoCache = "off"

// option is one setting with its flag; its variable is CORDON_ and the flag's
// name in capitals.
type option struct {
	flag, usage string
	text        func(*config) *string
	number      func(*config) *int
}

var options = []option{
	{"listen", "TCP `address` of the API; empty: none", func(c *config) *string { return &c.Listen }, nil},
	{"socket", "`path` of a unix socket for the API, mode 0600", func(c *config) *string { return &c.Socket }, nil},
	{"allow-host", "further `names` by which clients address the API, with ports, and commas between", func(c *config) *string { return &c.AllowHost }, nil},
	{"state", "`directory` of the token and the runtime files", func(c *config) *string { return &c.State }, nil},
	{"tenants", "`file` of tenants, their keys and limits; empty: in the state directory", func(c *config) *string { return &c.Tenants }, nil},
	{"policies", "`directory` of further policy files", func(c *config) *string { return &c.Policies }, nil},
	{"cgroup", "delegated cgroup `directory`; empty: found by itself", func(c *config) *string { return &c.Cgroup }, nil},
	{"go-cache", "`directory` of Go's prepared build cache, or off; empty: in the state directory", func(c *config) *string { return &c.GoCache }, nil},
	{"languages", "`names` of the languages to look for and offer, with commas between; empty: all", func(c *config) *string { return &c.Languages }, nil},
	{"language-dir", "`directory` of further language files", func(c *config) *string { return &c.LanguageDir }, nil},
	{"files-bytes", "`size` of all files together that are kept by their content, as in 512M; 0: none are kept", func(c *config) *string { return &c.FilesBytes }, nil},
	{"files-ttl", "how `long` a file stays that nobody uses; 0: until its room is needed", func(c *config) *string { return &c.FilesTTL }, nil},
	{"snippets", "whether texts are kept that are shared by links: off, on (in the state directory), or their `directory`", func(c *config) *string { return &c.Snippets }, nil},
	{"builds-bytes", "`size` of all builds together that are kept for jobs that build the same; 0: none are kept", func(c *config) *string { return &c.BuildsBytes }, nil},
	{"queue-bytes", "`size` of the requests of all jobs together that wait in the queue or run from it", func(c *config) *string { return &c.QueueBytes }, nil},
	{"queue-ttl", "how `long` a job may wait in the queue, at most", func(c *config) *string { return &c.QueueTTL }, nil},
	{"results-ttl", "how `long` the result of a queued job is kept; 0: until its room is needed", func(c *config) *string { return &c.ResultsTTL }, nil},
	{"results-bytes", "`size` of all results of queued jobs that are kept", func(c *config) *string { return &c.ResultsBytes }, nil},
	{"queue-url", "`URLs` of NATS servers with JetStream that hold the queue, with commas between; empty: this process does, in the state directory", func(c *config) *string { return &c.QueueURL }, nil},
	{"queue-credentials", "`file` with the credentials for those servers", func(c *config) *string { return &c.QueueCredentials }, nil},
	{"queue-ca", "`file` with the certificates that those servers' are signed with; empty: the system's", func(c *config) *string { return &c.QueueCA }, nil},
	{"queue-cert", "`file` with the certificate to show to those servers", func(c *config) *string { return &c.QueueCert }, nil},
	{"queue-key", "`file` with its key", func(c *config) *string { return &c.QueueKey }, nil},
	{"webhook-hosts", "`hosts` that webhooks may be sent to, with commas between: hooks.example.org[:port], *.example.org, http://…, addresses and networks that are not public; empty: none", func(c *config) *string { return &c.WebhookHosts }, nil},
	{"webhook-secret", "`file` with the secret that signs them, or two while it is changed; empty: in the state directory", func(c *config) *string { return &c.WebhookSecret }, nil},
	{"webhook-ca", "`file` with certificates that receivers' may be signed with, besides the system's", func(c *config) *string { return &c.WebhookCA }, nil},
	{"webhook-ttl", "how `long` it is tried to deliver a webhook", func(c *config) *string { return &c.WebhookTTL }, nil},
	{"audit-log", "`file` for the audit log, or - for the standard output; empty: none", func(c *config) *string { return &c.AuditLog }, nil},
	{"audit-source", "`on` has the source texts of jobs in it, not only their hashes", func(c *config) *string { return &c.AuditSource }, nil},
	{"role", "what this service does: all, api (answers requests, runs nothing) or worker (runs jobs of the queue, has no API)", func(c *config) *string { return &c.Role }, nil},
	{"queue-listen", "`address` at which other services reach the queue of this one, as their --queue-url; empty: nobody does", func(c *config) *string { return &c.QueueListen }, nil},
	{"queue-listen-cert", "`file` with the certificate to show there; only a loopback address does without", func(c *config) *string { return &c.QueueListenCert }, nil},
	{"queue-listen-key", "`file` with its key", func(c *config) *string { return &c.QueueListenKey }, nil},
	{"queue-listen-ca", "`file` with the certificates that those of others have to be signed with; empty: they need none", func(c *config) *string { return &c.QueueListenCA }, nil},
	{"queue-secret", "`file` with the secret that services show at --queue-listen, and where --queue-url leads to one", func(c *config) *string { return &c.QueueSecret }, nil},
	{"queue-lease", "how `long` a service may be cut off from a queue that others have, too; the same in all of them", func(c *config) *string { return &c.QueueLease }, nil},
	{"cpu-scale", "multiply limits of CPU time and wall time by this `number`, 0.1 to 10; cordon calibrate tells which", func(c *config) *string { return &c.CPUScale }, nil},
	{"overcommit", "how many `times` the host's memory and processors the limits of jobs that run at once may come to, as in memory=1.5,cpu=4; empty: memory=4, and what --parallel needs", func(c *config) *string { return &c.Overcommit }, nil},
	{"drain", "how `long` running jobs may go on when the service ends", func(c *config) *string { return &c.Drain }, nil},
	{"log-level", "the least `level` that is logged: debug, info, warn or error", func(c *config) *string { return &c.LogLevel }, nil},
	{"parallel", "jobs that run at once", nil, func(c *config) *int { return &c.Parallel }},
	{"queue", "jobs that may wait for a place", nil, func(c *config) *int { return &c.Queue }},
	{"queue-jobs", "jobs that may wait in the durable queue of POST /v1/jobs; 0: there is none", nil, func(c *config) *int { return &c.QueueJobs }},
	{"queue-parallel", "jobs of that queue that run at once; 0: as many as run at all", nil, func(c *config) *int { return &c.QueueParallel }},
	{"queue-replicas", "copies of the queue that the servers of --queue-url keep", nil, func(c *config) *int { return &c.QueueReplicas }},
	{"warm", "warm cells kept of each kind, at least; 0: none", nil, func(c *config) *int { return &c.Warm }},
	{"warm-most", "warm cells kept of each kind, at most: how many are of use is learned; 0: four for each of --parallel, 64 in all", nil,
		func(c *config) *int { return &c.WarmMost }},
}

func defaultConfig() config {
	return config{Listen: "127.0.0.1:8080", State: defaultState(), FilesBytes: "1G", FilesTTL: "24h", Snippets: "off", BuildsBytes: "1G", QueueJobs: 100_000, QueueBytes: "1G", QueueTTL: "24h", QueueReplicas: 1, Role: roleAll, QueueLease: queue.DefaultLease.String(),
		ResultsTTL: "24h", ResultsBytes: "1G", WebhookTTL: "24h", AuditSource: "off", CPUScale: "1", Drain: "30s", LogLevel: "info",
		Parallel: runtime.NumCPU(), Queue: 256, Warm: 2}
}

// warmMost is what the pool may learn that it needs. A warm cell is worth some
// hundred KiB.
func (c *config) warmMost() int {
	if c.WarmMost != 0 {
		return c.WarmMost
	}
	return max(c.Warm, min(4*c.Parallel, 64))
}

// defaultState is the service user's own directory when it has made it its home,
// else the place that the XDG rules name.
func defaultState() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return "/var/lib/cordon"
	}
	if home == "/var/lib/cordon" {
		return home
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "cordon")
	}
	return filepath.Join(home, ".local", "state", "cordon")
}

// addFlags declares the flags; load reads them when they were given.
func addFlags(f *pflag.FlagSet) {
	defaults := defaultConfig()
	for _, o := range options {
		if o.text != nil {
			f.String(o.flag, *o.text(&defaults), o.usage)
		} else {
			f.Int(o.flag, *o.number(&defaults), o.usage)
		}
	}
	f.Lookup("audit-source").NoOptDefVal = "on"
	f.String("config", "", "YAML `file` with these settings")
}

// loadConfig joins defaults, file, variables and flags.
func loadConfig(f *pflag.FlagSet) (config, error) {
	c := defaultConfig()
	name, _ := f.GetString("config")
	if name == "" {
		name = os.Getenv("CORDON_CONFIG")
	}
	if name != "" {
		if err := readConfig(name, &c); err != nil {
			return c, err
		}
	}
	for _, o := range options {
		if err := o.apply(&c, f); err != nil {
			return c, err
		}
	}
	return c, c.check()
}

func (o option) apply(c *config, f *pflag.FlagSet) error {
	value, given := "", false
	variable := "CORDON_" + strings.ToUpper(strings.ReplaceAll(o.flag, "-", "_"))
	if v, ok := os.LookupEnv(variable); ok {
		value, given = v, true
	}
	if f.Changed(o.flag) {
		value, given, variable = f.Lookup(o.flag).Value.String(), true, "--"+o.flag
	}
	if !given {
		return nil
	}
	if o.text != nil {
		*o.text(c) = value
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return fmt.Errorf("%s: %q given, a whole number is wanted", variable, value)
	}
	*o.number(c) = n
	return nil
}

const configMax = 1 << 20

func readConfig(name string, c *config) (err error) {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, configMax+1))
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if len(text) > configMax {
		return fmt.Errorf("config %s: larger than %d bytes", name, configMax)
	}
	return decodeConfig(name, text, c)
}

// decodeConfig is strict: an unknown or repeated key is an error with its place.
func decodeConfig(name string, text []byte, c *config) (err error) {
	defer func() { // the YAML library panics on some malformed tags
		if p := recover(); p != nil {
			err = fmt.Errorf("config %s: not YAML: %v", name, p)
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField())
	if err := decoder.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("config %s: %w", name, err)
	}
	if err := decoder.Decode(&config{}); !errors.Is(err, io.EOF) {
		return fmt.Errorf("config %s: more than one document in the file; keep one", name)
	}
	return nil
}

// languageNames are those to offer; none means all.
func (c *config) languageNames() []string { return words(c.Languages) }

// languageDirs are where the operator's languages lie.
func (c *config) languageDirs() []string {
	if c.LanguageDir == "" {
		return nil
	}
	return []string{c.LanguageDir}
}

// hostNames are further names of the service.
func (c *config) hostNames() []string { return words(c.AllowHost) }

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// logLevel is the least that is logged.
func (c *config) logLevel() (slog.Level, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, known := levels[c.LogLevel]
	if !known {
		return 0, fmt.Errorf("log-level: %q given, allowed are debug, info, warn and error", c.LogLevel)
	}
	return level, nil
}

func (c *config) check() error {
	if c.Listen == "" && c.Socket == "" {
		return errors.New("listen and socket are both empty: give at least one of them")
	}
	if !filepath.IsAbs(c.State) {
		absolute, err := filepath.Abs(c.State)
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		c.State = absolute
	}
	if c.Tenants == "" {
		c.Tenants = filepath.Join(c.State, tenants.FileName)
	}
	for name, path := range map[string]*string{"tenants": &c.Tenants, "audit-log": &c.AuditLog, "webhook-secret": &c.WebhookSecret, "queue-secret": &c.QueueSecret} {
		if *path == "" || *path == audit.Stdout {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*path = absolute
	}
	if c.GoCache == "" {
		c.GoCache = filepath.Join(c.State, "go-cache")
	}
	for _, n := range []struct {
		name       string
		value, min int
	}{{"parallel", c.Parallel, 1}, {"queue", c.Queue, 0}, {"warm", c.Warm, 0}, {"warm-most", c.WarmMost, 0}} {
		if n.value < n.min || n.value > 4096 {
			return fmt.Errorf("%s: %d given, allowed is %d to 4096", n.name, n.value, n.min)
		}
	}
	if c.WarmMost != 0 && c.WarmMost < c.Warm {
		return fmt.Errorf("warm-most: %d given, at least %d, as in warm, is wanted, or 0", c.WarmMost, c.Warm)
	}
	if d, err := c.drain(); err != nil || d < 0 {
		return fmt.Errorf("drain: %q given, a duration such as 30s is wanted", c.Drain)
	}
	if err := c.checkQueue(); err != nil {
		return err
	}
	if err := c.checkRole(); err != nil {
		return err
	}
	if err := c.checkWebhooks(); err != nil {
		return err
	}
	if _, err := c.auditSource(); err != nil {
		return err
	}
	if err := c.checkFiles(); err != nil {
		return err
	}
	if _, err := c.buildsBytes(); err != nil {
		return err
	}
	if _, err := c.cpuScale(); err != nil {
		return err
	}
	if _, err := c.overcommit(); err != nil {
		return err
	}
	for _, host := range c.hostNames() {
		if err := httpapi.CheckHost(host); err != nil {
			return fmt.Errorf("allow-host: %w", err)
		}
	}
	if _, err := c.logLevel(); err != nil {
		return err
	}
	return nil
}
