package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// State is where a job is.
type State string

// The states. The last five are final.
const (
	Queued      State = "queued"
	Running     State = "running"
	Done        State = "done"        // it has a result
	Failed      State = "failed"      // it could not be run, and the reason is no fault of the program
	Cancelled   State = "cancelled"   // somebody asked for that; with a result where it had begun
	Expired     State = "expired"     // it waited longer than it may
	Interrupted State = "interrupted" // the service ended while it ran
)

// States are all of them.
var States = []State{Queued, Running, Done, Failed, Cancelled, Expired, Interrupted}

// Final: nothing changes any more but that the record goes after a time.
func (s State) Final() bool { return s != Queued && s != Running }

// Priority says which of two waiting jobs is begun first.
type Priority string

// The priorities.
const (
	High   Priority = "high"
	Normal Priority = "normal"
	Low    Priority = "low"
)

// Priorities are all of them, the first to be served first.
var Priorities = []Priority{High, Normal, Low}

// Record is what is known of a job, but for its request and its result.
type Record struct {
	ID        string    `json:"id"`
	Tenant    string    `json:"tenant,omitempty"` // whose job it is
	State     State     `json:"state"`
	Priority  Priority  `json:"priority"`
	RetrySafe bool      `json:"retry_safe,omitempty"`
	Attempts  int       `json:"attempts,omitempty"` // that were begun
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires"` // if it still waits then
	Wait      int64     `json:"wait_ms"` // how long it may, at first and again
	Started   time.Time `json:"started,omitzero"`
	Finished  time.Time `json:"finished,omitzero"`
	Worker    string    `json:"worker,omitempty"` // the service that runs it, or did
	Boot      string    `json:"boot,omitempty"`   // and which of its starts
	Cancel    bool      `json:"cancel,omitempty"` // somebody asked for the end of it while it ran
	Files     int       `json:"files,omitempty"`  // how many files of the store the request names
	Key       string    `json:"key,omitempty"`    // hash of its Idempotency-Key
	Needs     Needs     `json:"needs,omitzero"`   // what a service must have to run it
	Brief     bool      `json:"brief,omitempty"`  // its client waits for the result: nobody asks for it later
	Names     []string  `json:"names,omitempty"`  // of the files that it needs, where services share them; none when it has ended
	Hook      *Hook     `json:"hook,omitempty"`   // whom to tell of its end; nobody changes what it points to
	Delivery  *Delivery `json:"-"`                // what came of that so far; nil: nothing; likewise

	Memory int64         `json:"memory,omitempty"` // that it is promised while it runs; 0: that is found out when it does
	CPUs   float64       `json:"cpus,omitempty"`   // likewise
	CPU    time.Duration `json:"cpu_ns,omitempty"` // CPU time that it has used, in all attempts

	Bytes       int64 `json:"bytes"`            // of the request
	Parts       int   `json:"parts,omitempty"`  // that the request is in; 0: in the message itself
	ResultBytes int64 `json:"result,omitempty"` // of the result
	ResultParts int   `json:"rparts,omitempty"`
}

// What can be wrong.
var (
	ErrNotFound    = errors.New("there is no such job")
	ErrFull        = errors.New("the queue is full")
	ErrTenantFull  = errors.New("the tenant's part of the queue is full")
	ErrNoSpace     = errors.New("there is no room for more jobs on the disk")
	ErrMismatch    = errors.New("the Idempotency-Key was used for another request")
	ErrUnavailable = errors.New("the queue cannot be reached")
	ErrClosed      = errors.New("the queue is closed")

	errConflict = errors.New("another message came first") // of a Put
	errNone     = errors.New("no such message")            // of a Get
)

func encode(r *Record) []byte {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return text
}

// decode reads a record. One that is from elsewhere, or damaged, is told of and left out.
func decode(text []byte) (*Record, error) {
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if r.ID == "" || !slices.Contains(States, r.State) || !slices.Contains(Priorities, r.Priority) {
		return nil, fmt.Errorf("record: id %q, state %q, priority %q: not all of these are known", r.ID, r.State, r.Priority)
	}
	return &r, nil
}
