package leaves

import (
	"errors"
	"fmt"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/evidence"
)

// errAnswer is the class of errors about an answer that is not of the form of evidence.md § 3.
var errAnswer = errors.New("leaves: not an answer to the command evidence")

// Bounds of an answer.
const (
	maxPayload = 256 << 10
	maxPages   = 200 // one leaf of 64 KiB each
	maxLeaves  = 200 // evidence.md § 3
	maxPoints  = 16  // evidence.md § 3
)

// response is one message of an answer.
type response struct {
	ID, Status, Code string
	Page             int64 // of progress
	Leaves           []store.Leaf
	Answer           store.LeafAnswer // of ok
	Pages, Count     int64
}

// read reads a message of up/rsp/evidence. Members that it does not know are passed over.
func read(payload []byte) (*response, error) {
	if len(payload) > maxPayload {
		return nil, fmt.Errorf("%w: %d bytes", errAnswer, len(payload))
	}
	v, err := evidence.Parse(payload)
	if err != nil {
		return nil, errors.Join(errAnswer, err)
	}
	r := &response{ID: v.Get("id").Text, Status: v.Get("status").Text, Code: v.Get("error").Get("code").Text}
	if len(r.Code) > 64 {
		r.Code = "long"
	}
	switch data := v.Get("data"); r.Status {
	case "progress":
		err = r.progress(data)
	case "ok":
		err = r.ok(data)
	}
	return r, err
}

func (r *response) progress(data evidence.Value) error {
	list := data.Get("leaves")
	page, ok := data.Get("page").Int()
	if !ok || page < 1 || page > maxPages || list.Kind != '[' || len(list.Items) > maxLeaves {
		return fmt.Errorf("%w: a page", errAnswer)
	}
	r.Page = page
	for _, item := range list.Items {
		n, ok := item.Get("n").Int()
		size, also := item.Get("size").Int()
		leaf := item.Get("leaf")
		proof, err := evidence.ParseProof(item.Get("proof"))
		if !ok || !also || leaf.Kind != '"' || len(leaf.Text) > evidence.MaxLeaf || err != nil {
			return errors.Join(fmt.Errorf("%w: a leaf of page %d", errAnswer, page), err)
		}
		r.Leaves = append(r.Leaves, store.Leaf{N: n, Size: size, Bytes: []byte(leaf.Text), Proof: proof})
	}
	return nil
}

func (r *response) ok(data evidence.Value) (err error) {
	pages, okPages := data.Get("pages").Int()
	count, okCount := data.Get("leaves").Int()
	removed, okRemoved := data.Get("removed").Int()
	points := data.Get("checkpoints")
	if !okPages || !okCount || !okRemoved || pages < 0 || count < 0 || removed < 0 || !data.Get("more").IsBool() || points.Kind != '[' || len(points.Items) > maxPoints {
		return fmt.Errorf("%w: members of ok", errAnswer)
	}
	r.Pages, r.Count = pages, count
	r.Answer = store.LeafAnswer{Origin: data.Get("origin").Text, Removed: removed, More: data.Get("more").Kind == 't'}
	for _, item := range points.Items {
		p := store.LeafPoint{}
		var okSize, okFrom bool
		p.Size, okSize = item.Get("size").Int()
		p.From, okFrom = item.Get("from").Int()
		p.Proof, err = evidence.ParseProof(item.Get("proof"))
		if !okSize || !okFrom || err != nil {
			return errors.Join(fmt.Errorf("%w: a checkpoint", errAnswer), err)
		}
		r.Answer.Points = append(r.Answer.Points, p)
	}
	return nil
}

// pages are those of one answer, whatever their order.
type pages struct {
	by    map[int64][]store.Leaf
	count int
}

func (p *pages) add(r *response) error {
	if p.by == nil {
		p.by = map[int64][]store.Leaf{}
	}
	if _, twice := p.by[r.Page]; twice {
		return nil // QoS 1: the same again
	}
	p.by[r.Page] = r.Leaves
	if p.count += len(r.Leaves); p.count > maxLeaves {
		return fmt.Errorf("%w: more than %d leaves", errAnswer, maxLeaves)
	}
	return nil
}

// all returns the leaves of all pages, once they are there.
func (p *pages) all(r *response) (all []store.Leaf, err error) {
	for n := int64(1); n <= r.Pages; n++ {
		page, ok := p.by[n]
		if !ok {
			return nil, fmt.Errorf("%w: page %d of %d is missing", errAnswer, n, r.Pages)
		}
		all = append(all, page...)
	}
	if int64(len(all)) != r.Count {
		return nil, fmt.Errorf("%w: %d leaves, want %d", errAnswer, len(all), r.Count)
	}
	return all, nil
}
