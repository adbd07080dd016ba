package ledger

import (
	"crypto/sha256"
	"encoding/json"
	"time"

	"yuanlu/agent/refund"
)

// attempt is a batch whose commit failed: it may be on the disk all the same
// (agent/README.md: a failed commit is unknown, not undone). It is kept until it is known not to be,
// or until each of its arrivals has been tried again and answered.
type attempt struct {
	pending     bool  // not yet known whether it is there
	first, last int64 // its records, if it is
	sums        [][sha256.Size]byte
	applied     [][]refund.Applied // nil: answered
}

// mostLost bounds how many batches are remembered; a caller that tries again needs one.
const mostLost = 16

// noteLost remembers a batch whose commit failed. If the store is still open (the
// disk was full), it finds out at once whether the batch is there.
func (d *DB) noteLost(a *attempt, arrivals []refund.Arrival) {
	for i := range arrivals {
		a.sums = append(a.sums, sumOf(&arrivals[i]))
	}
	d.lost = append(d.lost, a)
	if len(d.lost) > mostLost {
		d.lost = d.lost[1:]
	}
	if d.w != nil {
		if err := d.settleLost(); err != nil {
			d.breakOff(err)
		}
	}
}

// settleLost finds out which lost batches are on the disk. This process is the only
// writer and returns every record the next number, so a batch's records can only be
// its own. A transaction is there whole or not at all.
func (d *DB) settleLost() error {
	kept := d.lost[:0]
	for _, a := range d.lost {
		if a.pending {
			n, _, err := d.w.Int(`SELECT count(*) FROM record WHERE seq BETWEEN ?1 AND ?2`, a.first, a.last)
			if err != nil {
				return err
			}
			a.pending = false
			if n == 0 || n != a.last-a.first+1 {
				continue
			}
		}
		kept = append(kept, a)
	}
	d.lost = kept
	return nil
}

// recognised returns the answers for arrivals of lost batches that are on the disk.
func (d *DB) recognised(arrivals []refund.Arrival) map[int][]refund.Applied {
	if len(d.lost) == 0 {
		return nil
	}
	known := make(map[int][]refund.Applied)
	taken := make(map[*[]refund.Applied]bool)
	for i := range arrivals {
		sum := sumOf(&arrivals[i])
		for _, a := range d.lost {
			if j := a.find(sum, taken); j >= 0 {
				known[i] = a.applied[j]
				taken[&a.applied[j]] = true
				break
			}
		}
	}
	return known
}

func (a *attempt) find(sum [sha256.Size]byte, taken map[*[]refund.Applied]bool) int {
	for j, s := range a.sums {
		if s == sum && a.applied[j] != nil && !taken[&a.applied[j]] && !a.pending {
			return j
		}
	}
	return -1
}

// forgetRecognised takes answered arrivals out of their batches.
func (d *DB) forgetRecognised(arrivals []refund.Arrival, known map[int][]refund.Applied) {
	for i := range known {
		sum := sumOf(&arrivals[i])
		for _, a := range d.lost {
			if j := a.find(sum, nil); j >= 0 {
				a.applied[j] = nil
				break
			}
		}
	}
	kept := d.lost[:0]
	for _, a := range d.lost {
		open := a.pending
		for _, x := range a.applied {
			open = open || x != nil
		}
		if open {
			kept = append(kept, a)
		}
	}
	d.lost = kept
}

// sumOf identifies arrivals: it is over everything of one that its retry repeats.
func sumOf(a *refund.Arrival) [sha256.Size]byte {
	h := sha256.New()
	_, _ = h.Write(joined(a.Link))
	var body []byte
	for i := range a.Sightings {
		s := &a.Sightings[i]
		body = refund.EncodeStored(body[:0], &s.Record)
		_, _ = h.Write(joined(string(body), s.FrameMAC, s.Received.Format(time.RFC3339Nano)))
	}
	if memory, err := json.Marshal(a.Memory); err == nil {
		_, _ = h.Write(memory)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
