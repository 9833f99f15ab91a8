package queue

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Hook says whom to tell that a job has ended.
type Hook struct {
	URL    string `json:"url"`
	Host   string `json:"host"` // of the URL, with its port: those with the same wait in one line
	Result bool   `json:"result,omitempty"`
}

// DeliveryState is how far the telling has come.
type DeliveryState string

// The states of a delivery. The last two are final.
const (
	Pending     DeliveryState = "pending"
	Delivered   DeliveryState = "delivered"
	Undelivered DeliveryState = "failed"
)

var deliveryStates = []DeliveryState{Pending, Delivered, Undelivered}

// Delivery is what came of telling so far. It is in a message of its own: the job's
// record, with its result, does not change any more.
type Delivery struct {
	State    DeliveryState `json:"state"`
	Attempts int           `json:"attempts"` // that were begun
	Status   int           `json:"status,omitempty"`
	Reason   string        `json:"reason,omitempty"` // why the last one failed
	Next     time.Time     `json:"next,omitzero"`    // of the next one; while one is made, when it is over at the latest
	Ended    time.Time     `json:"ended,omitzero"`
	Worker   string        `json:"worker,omitempty"` // the service that makes an attempt; "": nobody does
	Boot     string        `json:"boot,omitempty"`   // and which of its starts
}

func encodeDelivery(d *Delivery) []byte {
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return text
}

func decodeDelivery(text []byte) (*Delivery, error) {
	var d Delivery
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	if !slices.Contains(deliveryStates, d.State) || d.Attempts < 0 {
		return nil, fmt.Errorf("delivery: state %q after %d attempts is not known", d.State, d.Attempts)
	}
	return &d, nil
}

// Untold: somebody is still to be told of the job's end.
func (r *Record) Untold() bool {
	return r.Hook != nil && r.State.Final() && (r.Delivery == nil || r.Delivery.State == Pending)
}

// due is when the next attempt may be made. What an earlier start of this service had
// begun is due at once; what another service has begun, when that must be over.
func (e *entry) due(worker, boot string) time.Time {
	switch d := e.Delivery; {
	case d == nil:
		return e.Finished
	case d.Worker == worker && d.Boot != boot:
		return time.Time{}
	default:
		return d.Next
	}
}

// applyDelivery takes over what a message says of a delivery. It may come more than once.
func (x *index) applyDelivery(id string, d *Delivery, number uint64) {
	e := x.jobs[id]
	if e == nil || number <= e.hookVersion {
		return
	}
	e.hookVersion, e.Delivery = number, d
	x.hook(e)
	for _, w := range x.watchers[id] {
		signal(w)
	}
}

// hook puts a job in line whose end is to be told, and takes it out of the count when it
// was.
func (x *index) hook(e *entry) {
	if !e.Untold() {
		delete(x.untold, e)
		return
	}
	x.untold[e] = true
	if e.telling {
		return
	}
	x.calls.add(e, e.due(x.worker, x.boot))
}

// callable: a delivery is still to be attempted when its line has it.
func (x *index) callable(i *callItem) bool {
	e := i.e
	return x.jobs[e.ID] == e && e.Untold() && !e.telling && !e.leaving && e.due(x.worker, x.boot).Equal(i.at)
}

// nextCall takes the delivery out that is to be attempted, or says when there may be one;
// zero: when something changes.
func (x *index) nextCall(now time.Time, places *Places) (*entry, time.Time) {
	e, next := x.calls.next(now, places)
	if e != nil {
		e.telling = true
	}
	return e, next
}
