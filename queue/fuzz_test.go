package queue

import (
	"reflect"
	"testing"
	"time"
)

// FuzzRecord: what is taken for a record is one, and means the same when it was written
// and read again.
func FuzzRecord(f *testing.F) {
	f.Add(encode(&Record{ID: "a", State: Queued, Priority: High, Created: time.Unix(1, 0).UTC(), Expires: time.Unix(2, 0).UTC(), Bytes: 3}))
	f.Add(encode(&Record{ID: "b", State: Done, Priority: Low, RetrySafe: true, Attempts: 2, Worker: "w", Boot: "b", ResultBytes: 1 << 40, ResultParts: 7}))
	f.Add([]byte(`{"id":"x","state":"queued","priority":"high","created":"2026-01-01T00:00:00+25:00"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decode(text)
		if err != nil {
			return
		}
		again, err := decode(encode(r))
		if err != nil || !reflect.DeepEqual(normal(*r), normal(*again)) {
			t.Fatalf("%q: %+v became %+v: %v", text, r, again, err)
		}
	})
}

// normal has the same times in the same words.
func normal(r Record) Record {
	for _, at := range []*time.Time{&r.Created, &r.Expires, &r.Started, &r.Finished} {
		*at = at.UTC()
	}
	return r
}
