package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"cordon/client"
)

// submitFlags are what cordon submit takes.
type submitFlags struct {
	remote
	jobFlags
	job, language, source, stdin string
	priority, key                string
	retrySafe                    bool
	queueTTL                     time.Duration
	wait, follow, json, quiet    bool
}

func newSubmitCommand() *cobra.Command {
	var f submitFlags
	cmd := f.command(&cobra.Command{
		Use:   "submit [flags] [-- COMMAND [ARGUMENT…]]",
		Short: "Queue a job at a service",
		Long: "Queues a job at a running service, and prints its id when the job would survive the loss of power. The job is\n" +
			"a command, a source text in a language, or a file as POST /v1/jobs takes it; flags win over what the file says.\n" +
			"It is sent again where the connection breaks, and queued once.\n\n" +
			"With --wait the exit status is that of the program, as of cordon run: 128+N when signal N or a limit ended it,\n" +
			"126 or 127 when it could not be started. 125 means that there is no verdict on the program: the job was\n" +
			"cancelled, has expired, was interrupted, could not be run, or nobody could be asked. 130: the waiting was\n" +
			"interrupted; the job goes on. --follow also passes on the program's output, and prints the id on standard error.",
		Example: "  cordon submit -- python3 -c 'print(6*7)'\n  cordon submit --follow --language cpp --source main.cpp --stdin input.txt --cpu-time 2s\n  cordon submit -f job.json --wait",
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	})
	flags := cmd.Flags()
	flags.SetInterspersed(false)
	f.jobFlags.add(flags, "")
	flags.StringVarP(&f.job, "job", "f", "", "`file` with the job as JSON; - is standard input")
	flags.StringVar(&f.language, "language", "", "`id` of the language of --source")
	flags.StringVar(&f.source, "source", "", "`file` with the program's text")
	flags.StringVar(&f.stdin, "stdin", "", "`file` that is the program's standard input; - is that of this command")
	flags.StringVar(&f.priority, "priority", "", "high, normal or low")
	flags.BoolVar(&f.retrySafe, "retry-safe", false, "the job may be run again where the service ended while it ran")
	flags.DurationVar(&f.queueTTL, "queue-ttl", 0, "how long the job may wait, such as 10m")
	flags.StringVar(&f.key, "key", "", "`text` that names this submission: the same key and job are the same job, however often they are sent")
	flags.BoolVar(&f.wait, "wait", false, "wait for the job's end, and exit as the program did")
	flags.BoolVar(&f.follow, "follow", false, "wait, and pass on what the program prints")
	flags.BoolVar(&f.json, "json", false, "print the job as JSON instead of its id; with --wait its result, too")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress, and no summary line")
	return cmd
}

func (f *submitFlags) run(cmd *cobra.Command, args []string) error {
	if f.follow && f.json {
		return errors.New("--follow and --json: both would print to standard output; give one of them, or --wait with --json")
	}
	request, err := f.request(cmd, args)
	if err != nil {
		return err
	}
	c, err := f.client(hasty)
	if err != nil {
		return err
	}
	if f.key == "" {
		f.key = client.NewKey()
	}
	job, err := c.SubmitAs(cmd.Context(), f.key, *request)
	if err != nil {
		return err
	}
	if !f.wait && !f.follow {
		if f.json {
			return printJSON(cmd.OutOrStdout(), job)
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), job.ID)
		return err
	}
	return f.await(cmd, job)
}

// await follows the job to its end.
func (f *submitFlags) await(cmd *cobra.Command, job *client.JobStatus) error {
	c, err := f.client(patient)
	if err != nil {
		return err
	}
	switch {
	case f.follow:
		fmt.Fprintln(cmd.ErrOrStderr(), job.ID)
	case !f.json:
		fmt.Fprintln(cmd.OutOrStdout(), job.ID)
	}
	ctx, stop := untilInterrupted(cmd)
	defer stop()
	to := &follower{err: cmd.ErrOrStderr(), progress: newJobProgress(cmd.ErrOrStderr(), f.quiet)}
	if f.follow {
		to.out = cmd.OutOrStdout()
	}
	ended, err := to.follow(ctx, c, job.ID)
	if err != nil {
		return followFailed(ctx, cmd, job.ID, err)
	}
	if f.json {
		if err := printJSON(cmd.OutOrStdout(), ended); err != nil {
			return err
		}
	} else if ended.Result != nil {
		if err := saveResults(ended.Result.Files); err != nil {
			return err
		}
	}
	if !f.quiet && !f.json {
		fmt.Fprintln(cmd.ErrOrStderr(), summaryOfJob(ended))
	}
	if status := exitOfJob(ended); status != 0 {
		return statusError(status)
	}
	return nil
}

// followFailed: who was interrupted is told that the job goes on.
func followFailed(ctx context.Context, cmd *cobra.Command, id string, err error) error {
	if ctx.Err() == nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "cordon: interrupted; the job goes on: cordon cancel %s ends it\n", id)
	return statusError(interrupted)
}

const interrupted = 130 // the exit status of a shell's command that SIGINT has ended

// request is the job of the file, and on top what the flags say.
func (f *submitFlags) request(cmd *cobra.Command, args []string) (*client.JobRequest, error) {
	if f.job == "-" && f.stdin == "-" {
		return nil, errors.New("--job - and --stdin -: standard input is one of them")
	}
	j := &client.JobRequest{}
	if f.job != "" {
		if err := readJob(f.job, cmd.InOrStdin(), j); err != nil {
			return nil, err
		}
	}
	if len(args) > 0 {
		j.Command = args
	}
	if err := f.texts(cmd, j); err != nil {
		return nil, err
	}
	if err := f.environment(j); err != nil {
		return nil, err
	}
	for flag, one := range map[string]struct{ to, value *string }{"policy": {&j.Policy, &f.policy}, "language": {&j.Language, &f.language},
		"priority": {(*string)(&j.Priority), &f.priority}} {
		if cmd.Flags().Changed(flag) {
			*one.to = *one.value
		}
	}
	if cmd.Flags().Changed("queue-ttl") {
		if j.QueueTTLMs = f.queueTTL.Milliseconds(); j.QueueTTLMs <= 0 {
			return nil, fmt.Errorf("--queue-ttl: %v given, at least 1ms is wanted", f.queueTTL)
		}
	}
	j.RetrySafe = j.RetrySafe || f.retrySafe
	j.WritableRoot = j.WritableRoot || f.writable
	j.IDRange = j.IDRange || f.idRange
	for _, one := range []struct{ to, value *string }{{&j.Image, &f.image}, {&j.User, &f.user}, {&j.WorkingDir, &f.dir}} {
		if *one.value != "" {
			*one.to = *one.value
		}
	}
	j.Outputs = append(j.Outputs, f.outputs...)
	if dirs := f.rootDirs(); dirs != nil {
		j.RootDirs = dirs
	}
	return j, f.setLimits(cmd, &j.Limits)
}

// readJob decodes as strictly as the service does what a word in the wrong place would
// be lost in.
func readJob(name string, stdin io.Reader, to *client.JobRequest) error {
	text, err := readInput(name, stdin)
	if err != nil {
		return fmt.Errorf("--job: %w", err)
	}
	if err := json.Unmarshal(text, to, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("--job %s: %w", name, err)
	}
	return nil
}

func readInput(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}

// texts are the source, the standard input and the files.
func (f *submitFlags) texts(cmd *cobra.Command, j *client.JobRequest) error {
	if f.source != "" {
		text, err := os.ReadFile(f.source)
		if err != nil {
			return fmt.Errorf("--source: %w", err)
		}
		if !utf8.Valid(text) {
			return fmt.Errorf("--source: %s is not UTF-8; give it with --file and a name", f.source)
		}
		j.Source = string(text)
	}
	if f.stdin != "" {
		text, err := readInput(f.stdin, cmd.InOrStdin())
		if err != nil {
			return fmt.Errorf("--stdin: %w", err)
		}
		j.Stdin, j.StdinBase64, j.StdinSHA256 = "", base64.StdEncoding.EncodeToString(text), ""
	}
	for _, spec := range f.files {
		file, err := readFile(spec)
		if err != nil {
			return err
		}
		j.Files = append(j.Files, client.FileOf(file.Path, int32(file.Mode.Perm()), file.Data))
	}
	return nil
}

func (f *submitFlags) environment(j *client.JobRequest) error {
	if err := f.checkEnv(); err != nil {
		return err
	}
	for _, kv := range f.env {
		if j.Env == nil {
			j.Env = map[string]string{}
		}
		name, value, _ := strings.Cut(kv, "=")
		j.Env[name] = value
	}
	return nil
}

// setLimits: a limit of 0 would be the same as none here.
func (f *submitFlags) setLimits(cmd *cobra.Command, l *client.LimitRequest) error {
	given := f.limits(cmd)
	for _, one := range []struct {
		flag  string
		to    *int64
		value *int64
	}{{"memory", &l.MemoryBytes, given.MemoryBytes}, {"disk", &l.DiskBytes, given.DiskBytes}, {"cpu-time", &l.CPUMs, given.CPUMillis},
		{"wall-time", &l.WallMs, given.WallMillis}, {"pids", &l.Pids, given.Pids}} {
		if one.value == nil {
			continue
		}
		if *one.value <= 0 {
			return fmt.Errorf("--%s: %s given, more than 0 is wanted", one.flag, cmd.Flag(one.flag).Value)
		}
		*one.to = *one.value
	}
	if given.CPUs != nil {
		if *given.CPUs <= 0 {
			return fmt.Errorf("--cpus: %v given, more than 0 is wanted", *given.CPUs)
		}
		l.Cpus = *given.CPUs
	}
	return nil
}
