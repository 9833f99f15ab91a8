package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"cordon/sandbox"
)

// How often who follows a job may look at what it uses. It costs some reads of the kernel's
// files each time, once for all who look at about the same time, and nothing when nobody does.
const (
	usageUsual = time.Second
	usageLeast = 100 * time.Millisecond
)

// usageEvery reads the parameter usage_ms.
func usageEvery(query url.Values) (time.Duration, *Problem) {
	if !query.Has("usage_ms") {
		return usageUsual, nil
	}
	given := query["usage_ms"]
	ms, err := strconv.ParseInt(given[0], 10, 64)
	if err != nil || len(given) > 1 || ms < usageLeast.Milliseconds() || ms > usageUsual.Milliseconds() {
		return 0, problem(CodeInvalidField, "usage_ms", fmt.Sprintf("%q given, allowed is one number from %d to %d", clip(given[0]), usageLeast.Milliseconds(), usageUsual.Milliseconds()))
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// UsageSample is the data of an event usage.
type UsageSample sandbox.Sample

// OutputTime says when a stream had come how far.
type OutputTime struct {
	Stream string `json:"stream" enum:"stdout,stderr"`
	End    int64  `json:"end" doc:"So many bytes of the stream had come"`
	At     int64  `json:"at_ns" doc:"Since the program was started, as the service read it"`
}

// outputTimes are those of a result.
type outputTimes []OutputTime

// Marks are those behind the first so many.
func (o outputTimes) Marks(behind int) (out []sandbox.Printed) {
	for _, one := range o[min(behind, len(o)):] {
		out = append(out, sandbox.Printed{Stream: slices.Index(streamNames[:], one.Stream), End: one.End, At: one.At})
	}
	return out
}

func newTimeline(t []sandbox.Printed) (out outputTimes) {
	for _, m := range t {
		out = append(out, OutputTime{streamNames[m.Stream], m.End, m.At})
	}
	return out
}

// printed is what a job has printed, and in which order, by its result.
func printed(result []byte) (streams [2][]byte, in order, err error) {
	var of struct {
		Stdout       string      `json:"stdout"`
		StdoutBase64 []byte      `json:"stdout_base64"`
		Stderr       string      `json:"stderr"`
		StderrBase64 []byte      `json:"stderr_base64"`
		Timeline     outputTimes `json:"timeline"`
	}
	err = json.Unmarshal(result, &of)
	if of.Timeline != nil {
		in = of.Timeline
	}
	return [2][]byte{append([]byte(of.Stdout), of.StdoutBase64...), append([]byte(of.Stderr), of.StderrBase64...)}, in, err
}

// printed tells what was printed behind the cursor, in its order and with its times as far as
// they are known; whole: both streams have ended.
func (e *eventReader) printed(streams [2][]byte, in order, whole bool) error {
	if in != nil {
		for i, m := range in.Marks(e.marks) {
			if i > 0 { // the one before does not grow any more
				e.marks++
			}
			// The note is made before what it is of has come here.
			all := streams[m.Stream][:min(m.End, int64(len(streams[m.Stream])))]
			if err := e.output(m.Stream, all, &m.At, whole && len(all) == len(streams[m.Stream])); err != nil {
				return err
			}
			if int64(len(all)) < m.End {
				return nil // the rest comes first
			}
		}
	}
	for i, all := range streams {
		if err := e.output(i, all, nil, whole); err != nil {
			return err
		}
	}
	return nil
}

// output tells of a stream what comes behind the cursor; at is when it came, nil where that is
// not known, and whole: the stream has ended. A letter of which only a part is there waits for
// the rest.
func (e *eventReader) output(stream int, all []byte, at *int64, whole bool) error {
	for e.at.offset[stream] < len(all) {
		if revoked(e.keyEnds) {
			return errKeyEnded
		}
		part := all[e.at.offset[stream]:]
		more := len(part) > eventBytes
		part = part[:min(len(part), eventBytes)]
		if more || !whole {
			part = part[:len(part)-torn(part)]
		}
		if len(part) == 0 {
			return nil
		}
		chunk := object{"offset": e.at.offset[stream]}
		if at != nil {
			chunk["at_ns"] = *at
		}
		if utf8.Valid(part) {
			chunk["text"] = string(part)
		} else {
			chunk["base64"] = base64.StdEncoding.EncodeToString(part)
		}
		e.at.offset[stream] += len(part)
		if err := e.event(streamNames[stream], chunk); err != nil {
			return err
		}
	}
	return nil
}
