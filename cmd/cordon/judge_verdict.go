package main

import (
	"slices"
	"strings"

	"cordon/judge/problem"
	"cordon/sandbox"
)

// word is a verdict as judges write it.
type word string

// The words. Any other verdict of a sandbox says that nothing came of the run.
const (
	accepted     word = "AC"
	wrongAnswer  word = "WA"
	timeLimit    word = "TLE"
	runTimeError word = "RTE"
	memoryLimit  word = "MLE"
	outputLimit  word = "OLE"
	compileError word = "CE"
	judgeError   word = "JE"
	notJudged    word = ""
)

func wordOf(v sandbox.Verdict) word {
	switch v {
	case sandbox.OK:
		return accepted
	case sandbox.WrongAnswer:
		return wrongAnswer
	case sandbox.CPULimit, sandbox.WallLimit:
		return timeLimit
	case sandbox.Signaled, sandbox.Nonzero, sandbox.ExecFailed, sandbox.SyscallDenied:
		return runTimeError
	case sandbox.MemoryLimit:
		return memoryLimit
	case sandbox.OutputLimit:
		return outputLimit
	case sandbox.BuildFailed:
		return compileError
	case sandbox.Skipped, sandbox.Cancelled, sandbox.Interrupted:
		return notJudged
	}
	return judgeError // checker_failed, internal_error, and what there may be one day
}

// promises are the words of the format, as this table writes them.
var promises = map[problem.Expect]word{
	problem.Accepted: accepted, problem.WrongAnswer: wrongAnswer, problem.TimeLimit: timeLimit, problem.RunTimeError: runTimeError,
	problem.CompilerError: compileError, problem.NoOutput: "NO", problem.OutputLimit: outputLimit, problem.MemoryLimit: memoryLimit,
}

// keeps says whether a verdict is one of those that were promised. silent: the program
// has put out nothing.
func keeps(expected []problem.Expect, got word, silent bool) bool {
	return slices.ContainsFunc(expected, func(e problem.Expect) bool {
		switch e {
		case problem.NoOutput:
			return got == wrongAnswer && silent
		case problem.RunTimeError:
			return got == runTimeError || got == memoryLimit || got == outputLimit
		}
		return got != judgeError && got == promises[e]
	})
}

func expectedWords(list []problem.Expect) string {
	var out []string
	for _, e := range list {
		out = append(out, string(promises[e]))
	}
	return strings.Join(out, "|")
}
