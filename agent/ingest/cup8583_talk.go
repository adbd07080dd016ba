package ingest

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/cup8583"
)

// cupRequest is one request as the wire remembers it, or a lone answer. All requests of
// one terminal, merchant and STAN stand in one list, in the order they came.
type cupRequest struct {
	MTI    string   `json:"mti"`
	Batch  string   `json:"batch,omitempty"`  // its F60.2
	Lone   bool     `json:"lone,omitempty"`   // an answer without a request: it pairs with nothing
	Place  int64    `json:"place,omitempty"`  // in the queue of those that wait; 0: it does not
	Digest []string `json:"digest,omitempty"` // of its bytes, keyed, one per key
	// Used are the digests of the answers that made records with it.
	Used     [][]string `json:"used,omitempty"`
	Received int64      `json:"received"` // Unix ms
	Unsynced bool       `json:"unsynced,omitempty"`
	// Facts and Record are what cupFacts is kept as.
	Facts  cupKept         `json:"facts,omitzero"`
	Record json.RawMessage `json:"record,omitempty"`
}

// Limits of one list, so that noise cannot make it grow.
const (
	maxTalk = 16 // requests that do not wait
	maxUsed = 16 // answers per request
)

func (r *cupRequest) waits() bool { return r.Place != 0 }

func (r *cupRequest) usedAnswer(digest []string) bool {
	for _, d := range r.Used {
		if shareOne(d, digest) {
			return true
		}
	}
	return false
}

func (r *cupRequest) use(digest []string) {
	if len(r.Used) == maxUsed {
		r.Used = append(r.Used[:0], r.Used[1:]...)
	}
	r.Used = append(r.Used, digest)
}

// shareOne reports whether two lists of tokens, one per key, are of the same text.
func shareOne(a, b []string) bool {
	for _, x := range a {
		if slices.Contains(b, x) {
			return true
		}
	}
	return false
}

// sameBatch compares F60.2 of two messages, which not every message has.
func sameBatch(a, b string) bool { return a == "" || b == "" || a == b }

// partner returns the request that an answer belongs to: the first that waits, else the
// latest one; nil if none was seen.
func partner(talk []cupRequest, mti, batch string) *cupRequest {
	var latest *cupRequest
	for i := range talk {
		r := &talk[i]
		if r.Lone || r.MTI != mti || !sameBatch(r.Batch, batch) {
			continue
		}
		if r.waits() {
			return r
		}
		latest = r
	}
	return latest
}

func waitingAt(talk []cupRequest, place int64) *cupRequest {
	for i := range talk {
		if talk[i].Place == place {
			return &talk[i]
		}
	}
	return nil
}

// cupKey returns the key of the list that a message belongs to. Its parts hold no control
// character.
func cupKey(m *cup8583.Message) string {
	return "talk\x1f" + m.Text(11) + "\x1f" + m.Text(41) + "\x1f" + m.Text(42)
}

// load returns the list of a key without what is too old.
func (w *cupWire) load(key string, now Clock) []cupRequest {
	b, ok := w.edit.get(key)
	if !ok {
		return nil
	}
	var talk []cupRequest
	if err := json.Unmarshal(b, &talk); err != nil {
		w.note("memory that cannot be read")
		return nil
	}
	kept := talk[:0]
	for _, r := range talk {
		if r.waits() || now.Now.Sub(time.UnixMilli(r.Received)) < cupRemember {
			kept = append(kept, r)
		} else {
			w.keeper.forget(&r)
		}
	}
	return kept
}

// save stores a list under its key.
func (w *cupWire) save(key string, talk []cupRequest) {
	for i := 0; i < len(talk) && len(talk) > maxTalk; {
		if talk[i].waits() {
			i++
			continue
		}
		w.keeper.forget(&talk[i])
		talk = append(talk[:i], talk[i+1:]...)
	}
	var last int64
	waits := false
	for i := range talk {
		last = max(last, talk[i].Received)
		waits = waits || talk[i].waits()
	}
	b, err := json.Marshal(talk)
	if len(talk) == 0 || err != nil {
		w.edit.set(key, nil, time.Time{})
		return
	}
	var expires time.Time
	if !waits {
		expires = time.UnixMilli(last).Add(cupRemember)
	}
	w.edit.set(key, b, expires)
}

// cupEdit is the memory as one call of the wire sees and changes it. Those that wait
// stand in a queue:
//
//	"queue"    place of the first, place behind the last
//	"wait N"   when the request at place N came, key of the list that it stands in
//
// A place whose key is gone waits no more. When nothing waits there is no queue, and
// places begin at 1 again.
type cupEdit struct {
	memory  Memory
	changes []refund.MemoryChange
	at      map[string]int
}

const cupQueueKey = "queue"

func cupWaitKey(place int64) string { return "wait " + strconv.FormatInt(place, 10) }

func (e *cupEdit) reset(m Memory) {
	*e = cupEdit{memory: m, changes: e.changes[:0], at: e.at}
	if e.at == nil {
		e.at = map[string]int{}
	}
	clear(e.at)
}

func (e *cupEdit) get(key string) ([]byte, bool) {
	if i, ok := e.at[key]; ok {
		return e.changes[i].Value, e.changes[i].Value != nil
	}
	return e.memory.Get(key)
}

// set changes a key; a nil value deletes it.
func (e *cupEdit) set(key string, value []byte, expires time.Time) {
	c := refund.MemoryChange{Key: key, Value: value, Expires: expires}
	if i, ok := e.at[key]; ok {
		e.changes[i] = c
		return
	}
	e.at[key] = len(e.changes)
	e.changes = append(e.changes, c)
}

// queue returns the places of the first that waits and behind the last.
func (e *cupEdit) queue() (first, next int64) {
	b, ok := e.get(cupQueueKey)
	if !ok || len(b) != 16 {
		return 1, 1
	}
	first, next = int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))
	if first < 1 || next <= first {
		return 1, 1
	}
	return first, next
}

func (e *cupEdit) setQueue(first, next int64) {
	if first == next {
		e.set(cupQueueKey, nil, time.Time{})
		return
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(first))
	e.set(cupQueueKey, binary.BigEndian.AppendUint64(b, uint64(next)), time.Time{})
}

// push puts one that came at a time (Unix ms) behind the last and returns its place.
func (e *cupEdit) push(key string, received int64) (place int64) {
	first, next := e.queue()
	value := binary.BigEndian.AppendUint64(nil, uint64(received))
	e.set(cupWaitKey(next), append(value, key...), time.Time{})
	e.setQueue(first, next+1)
	return next
}

// remove takes one out.
func (e *cupEdit) remove(place int64) {
	e.set(cupWaitKey(place), nil, time.Time{})
	first, next := e.queue()
	at := first
	for at < next {
		if _, waits := e.get(cupWaitKey(at)); waits {
			break
		}
		at++
	}
	if at != first {
		e.setQueue(at, next)
	}
}

// first returns the first that waits and when it came; place 0: none does.
func (e *cupEdit) first() (key string, received time.Time, place int64) {
	for {
		first, next := e.queue()
		if first == next {
			return "", time.Time{}, 0
		}
		if b, ok := e.get(cupWaitKey(first)); ok && len(b) > 8 {
			return string(b[8:]), time.UnixMilli(int64(binary.BigEndian.Uint64(b))), first
		}
		e.remove(first) // nothing waits there: on to one that does
	}
}
