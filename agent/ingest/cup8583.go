package ingest

import (
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/frame"
)

// cupRemember is how long a request is remembered after it came, so that an answer
// that is late, or comes again, finds it.
const cupRemember = 24 * time.Hour

// cupWire pairs the requests and responses of wire cup8583 and maps each pair to one
// record (wires.md, cup8583). Between two calls it holds nothing: what waits
// and what was answered is in its Memory, without clear card data.
//
//	request ──► repeat of one that waits? ──► ends others' waiting ──► waits
//	answer  ──► used before? ──► the first that waits, else the latest one ──► record
//	time    ──► waits too long ──► record, outcome unknown
type cupWire struct {
	profile *cupProfile
	memory  Memory
	keeper  cupKeeper
	message *cup8583.Message
	edit    cupEdit
	step    Step
}

func newCup(p *cupProfile, m Memory) *cupWire {
	return &cupWire{profile: p, memory: m, keeper: newCupVault(), message: new(cup8583.Message)}
}

// sealWith makes the wire keep what it must remember under t's tokens. Without it card
// data stays in this process, and a request is forgotten when it ends.
func (w *cupWire) sealWith(t refund.Tokenizer) { w.keeper = cupSealer{t} }

// Scanner returns one for STX frames.
func (w *cupWire) Scanner() *frame.Scanner { return frame.NewSTX() }

func (w *cupWire) begin() {
	w.edit.reset(w.memory)
	w.step = Step{Records: w.step.Records[:0], LeftOut: w.step.LeftOut[:0]}
}

func (w *cupWire) done() Step {
	w.step.Memory = w.edit.changes
	return w.step
}

// Frame takes one message. Requests whose time is over when it comes make their records
// first, so that the records do not depend on when Due was asked. Its errors are those
// of cup8583.Layout.Decode.
func (w *cupWire) Frame(f frame.Frame, now Clock) (Step, error) {
	m := w.message
	defer func() { *m = cup8583.Message{} }() // nothing clear is kept
	if err := w.profile.layout.Decode(m, f.Data); err != nil {
		return Step{}, err
	}
	mti, request := requestType(m.MTI())
	w.begin()
	if !w.profile.knows(mti) {
		w.leaveOut(cupType(mti, m.Text(3), m.Text(25), m.Type()))
		if request {
			w.step.Shown, _ = w.party()
		}
		return w.done(), nil
	}
	w.expire(now, false)
	if request {
		w.request(mti, f.Data, now)
	} else {
		w.answer(mti, f.Data, now)
	}
	return w.done(), nil
}

// Due makes the records of requests that have waited for an answer for the profile's
// response_timeout.
func (w *cupWire) Due(now Clock) (Step, time.Time) {
	w.begin()
	next := w.expire(now, false)
	return w.done(), next
}

// End makes the records of all requests that wait.
func (w *cupWire) End(now Clock) Step {
	w.begin()
	w.expire(now, true)
	return w.done()
}

// leaveOut notes that a message makes no record.
func (w *cupWire) leaveOut(what LeftOut) { w.step.LeftOut = append(w.step.LeftOut, what) }

// cupType names a message by what distinguishes kinds: MTI of the request, F3, F25 and
// F60.1, empty where they are absent.
func cupType(mti, process, condition, message string) LeftOut {
	return LeftOutValue("type", mti+"/"+process+"/"+condition+"/"+message)
}

// note sets what part of the message is not used, unless there is something already.
func (w *cupWire) note(what string) {
	if w.step.Ignored == "" {
		w.step.Ignored = what
	}
}

// requestType returns the type of the request that a message is, or answers.
func requestType(mti string) (of string, request bool) {
	if (mti[2]-'0')%2 == 0 {
		return mti, true
	}
	return mti[:2] + string(mti[2]-1) + mti[3:], false
}

// request takes a request: it waits for its answer, and may end the waiting of others.
func (w *cupWire) request(mti string, raw []byte, now Clock) {
	m := w.message
	key := cupKey(m)
	talk := w.load(key, now)
	digest := w.keeper.digest(raw)
	for i := range talk {
		if r := &talk[i]; r.waits() && r.MTI == mti && shareOne(r.Digest, digest) {
			w.leaveOut(LeftOutRepeat)
			return
		}
	}
	f, note := w.facts(true)
	if note != "" {
		w.note(note)
	}
	kind, _ := w.kindOf(mti, &f)
	if mti != cupUpload && kind != refund.KindReversal {
		w.step.Shown = f.record.Party
	}
	own := m.Batch()
	for i := range talk {
		r := &talk[i]
		if !r.waits() || !sameBatch(r.Batch, own) || r.MTI != mti && kind != refund.KindReversal {
			continue
		}
		w.giveUp(r, now)
		if r.MTI != mti && own == "" && r.Batch != "" {
			f.record.Batch = r.Batch
		}
	}
	r := cupRequest{
		MTI: mti, Batch: own, Digest: digest, Place: w.edit.push(key, now.Now.UnixMilli()),
		Received: now.Now.UnixMilli(), Unsynced: !now.Synced,
	}
	w.keeper.keep(&r, &f)
	w.save(key, append(talk, r))
}

// answer takes a response: with its request, or alone, it makes a record.
func (w *cupWire) answer(mti string, raw []byte, now Clock) {
	key := cupKey(w.message)
	talk := w.load(key, now)
	digest := w.keeper.digest(raw)
	for i := range talk {
		if talk[i].MTI == mti && talk[i].usedAnswer(digest) {
			w.leaveOut(LeftOutRepeat)
			return
		}
	}
	resp, note := w.facts(false)
	r := partner(talk, mti, w.message.Batch())
	if r == nil {
		w.lone(key, talk, mti, digest, &resp, now)
	} else {
		req, ok := w.keeper.recall(r)
		if !ok {
			w.note("remembered request that cannot be read")
			req = cupFacts{}
		}
		if !w.emit(mti, &req, &resp, now) {
			if r.waits() {
				w.leaveOut(cupType(mti, req.process, req.condition, req.message))
			}
			f := merged(&req, &resp)
			w.leaveOut(cupType(mti, f.process, f.condition, f.message))
		}
		if r.waits() {
			w.edit.remove(r.Place)
			r.Place = 0
		}
		r.use(digest)
		w.save(key, talk)
	}
	if note != "" {
		w.note(note)
	}
}

// lone makes a record of a response whose request was not seen, if its fields leave
// one kind only.
func (w *cupWire) lone(key string, talk []cupRequest, mti string, digest []string, resp *cupFacts, now Clock) {
	if !w.emit(mti, nil, resp, now) {
		w.leaveOut(cupType(mti, resp.process, resp.condition, resp.message))
		return
	}
	r := cupRequest{MTI: mti, Lone: true, Received: now.Now.UnixMilli()}
	r.use(digest)
	w.save(key, append(talk, r))
}

// emit adds the record of a response, and of its request if that was seen, to the step;
// false: they make none.
func (w *cupWire) emit(mti string, req, resp *cupFacts, now Clock) bool {
	d, ok := w.record(mti, req, resp)
	if !ok {
		return false
	}
	at, usable := now.moment(resp.date, resp.clock)
	d.YearFromClock = usable && yearless(resp.date)
	if !usable {
		at = now.received()
		d.AtFromClock = at != ""
		w.note(flawOf(resp.date, resp.clock))
	}
	d.Record.At = at
	w.step.Records = append(w.step.Records, d)
	return true
}

// giveUp ends the waiting of r: its record has outcome unknown and the time at which it
// was received.
func (w *cupWire) giveUp(r *cupRequest, now Clock) {
	w.edit.remove(r.Place)
	r.Place = 0
	req, ok := w.keeper.recall(r)
	if !ok {
		w.note("remembered request that cannot be read")
		return
	}
	d, ok := w.record(r.MTI, &req, nil)
	if !ok {
		w.leaveOut(cupType(r.MTI, req.process, req.condition, req.message))
		return
	}
	then := now
	// The time of a clock that was not synchronised is worth less than one of a
	// synchronised clock a little later.
	if !r.Unsynced || !now.Synced {
		then = now.at(time.UnixMilli(r.Received))
	}
	d.Record.At = then.received()
	d.AtFromClock = d.Record.At != ""
	d.Raw = []byte{} // the frame at hand is another one
	w.step.Records = append(w.step.Records, d)
}

// expire gives up the requests whose time is over, or all, in the order they came, and
// returns when the next one's is; the zero time: none waits.
func (w *cupWire) expire(now Clock, all bool) time.Time {
	for {
		key, received, place := w.edit.first()
		if place == 0 {
			return time.Time{}
		}
		// A request from the future waits no longer than others: the clock was set back.
		if age := now.Now.Sub(received); !all && age < w.profile.timeout && age > -w.profile.timeout {
			return received.Add(w.profile.timeout)
		}
		talk := w.load(key, now)
		r := waitingAt(talk, place)
		if r == nil {
			w.edit.remove(place) // damage: nothing waits there
			continue
		}
		w.giveUp(r, now)
		w.save(key, talk)
	}
}

// flawOf returns what is wrong with a date and a time of day that are no moment.
func flawOf(date, clock string) string {
	switch {
	case date == "" && clock == "":
		return ""
	case date == "":
		return "time of day without a date"
	case clock == "":
		return "date without a time of day"
	}
	return "no such date or time"
}
