package audit

import (
	"errors"
	"time"
)

// writing is the one goroutine that touches the file.
func (l *Log) writing() {
	defer close(l.ended)
	defer func() { l.unsynced(l.sink.close()) }()
	sync := time.NewTicker(syncEvery)
	defer sync.Stop()
	var giveUp <-chan time.Time
	for {
		one, reopen, closed := l.next()
		if reopen {
			l.unsynced(l.sink.close())
		}
		if one != nil {
			err := l.sink.write(one.text)
			if err == nil {
				l.written(one)
				continue
			}
			l.fail(err)
		} else if closed {
			return
		}
		if closed && giveUp == nil {
			giveUp = time.After(l.closeTime)
		}
		var again <-chan time.Time
		work := l.work
		if one != nil {
			again, work = time.After(retry), nil
		}
		select {
		case <-work:
		case <-again:
		case <-giveUp:
			return
		case <-sync.C:
			if err := l.sink.sync(); err != nil {
				l.unsynced(errors.Join(err, l.sink.close())) // it is opened anew with the next line
			}
		}
	}
}

// unsynced tells of lines that the kernel has taken and that may not be on the disk.
func (l *Log) unsynced(err error) {
	if err != nil {
		l.log.Error("the audit log could not be forced to the disk", "error", err)
	}
}

// next is the line to write, and what else is to be done.
func (l *Log) next() (one *line, reopen, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > 0 {
		one = l.waiting[0]
	}
	reopen, l.reopen = l.reopen, false
	return one, reopen, l.closed
}

// written takes a line out. With the last one the log is sound again, and says for how
// long it was not.
func (l *Log) written(one *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	l.bytes -= len(one.text)
	close(one.written)
	if l.broken != nil && len(l.waiting) == 0 {
		since := l.since
		l.log.Info("the audit log is written again", "since", since, "refused", l.refused)
		l.broken, l.failed = nil, make(chan struct{})
		if !l.closed {
			l.enter(&Event{Event: LogRecovered, Since: &since, Count: l.refused})
		}
		l.refused = 0
		l.change()
	} else if l.bytes <= maxWaiting/2 && l.broken == nil && l.bytes+len(one.text) > maxWaiting/2 || l.bytes <= maxWaiting && l.bytes+len(one.text) > maxWaiting {
		l.change()
	}
}
