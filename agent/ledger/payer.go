package ledger

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sort"

	"yuanlu/agent/ledger/sqlite"
)

// Which sales a payer token is a party of is asked rarely (refunds that point at
// nothing), so no sale pays for it with an index on a random value. The tokens'
// 32-bit hashes are collected in memory; every blockSales sales they are written
// as one sorted block, and a look-up searches each block, newest first. What is
// not in a block yet is collected again from the records when the store is opened.
const (
	blockSales = 1024
	entryBytes = 8 // hash, distance of the sale from the block's base
)

// payerEntry is one token of one sale.
type payerEntry struct {
	hash uint32
	seq  int64
}

// payers is what has been collected since the last block.
type payers struct {
	entries []payerEntry
	sales   int
}

func (p *payers) add(seq int64, tokens []string) {
	for _, t := range tokens {
		p.entries = append(p.entries, payerEntry{sqlite.Checksum(0, []byte(t)), seq})
	}
	p.sales++
}

// flush writes a block up to the record last if it is time to.
func (p *payers) flush(c *conn, last int64) error {
	if p.sales < blockSales {
		return nil
	}
	e := slices.Clone(p.entries)
	slices.SortFunc(e, func(a, b payerEntry) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.seq, b.seq))
	})
	base := e[0].seq
	for _, x := range e {
		base = min(base, x.seq)
	}
	blob := make([]byte, 0, len(e)*entryBytes)
	for _, x := range e {
		blob = binary.BigEndian.AppendUint32(blob, x.hash)
		blob = binary.BigEndian.AppendUint32(blob, uint32(min(x.seq-base, 1<<32-1)))
	}
	*p = payers{entries: make([]payerEntry, 0, len(e))} // as much room again: a rollback goes on with the old one
	return c.Do(`INSERT INTO payer(last, base, tokens) VALUES(?1, ?2, ?3)`, last, base, blob)
}

// find returns the sales that any of the tokens may be a party of, in seq order.
func (p *payers) find(c *conn, tokens []string) ([]int64, error) {
	hashes := make([]uint32, len(tokens))
	for i, t := range tokens {
		hashes[i] = sqlite.Checksum(0, []byte(t))
	}
	var found []int64
	for _, e := range p.entries {
		if slices.Contains(hashes, e.hash) {
			found = append(found, e.seq)
		}
	}
	err := c.Each(`SELECT base, tokens FROM payer ORDER BY last DESC`, func(r *sqlite.Row) error {
		for _, h := range hashes {
			found = searchBlock(found, r.View(1), r.Int(0), h)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func searchBlock(found []int64, blob []byte, base int64, hash uint32) []int64 {
	n := len(blob) / entryBytes
	at := func(i int) uint32 { return binary.BigEndian.Uint32(blob[i*entryBytes:]) }
	for i := sort.Search(n, func(i int) bool { return at(i) >= hash }); i < n && at(i) == hash; i++ {
		found = append(found, base+int64(binary.BigEndian.Uint32(blob[i*entryBytes+4:])))
	}
	return found
}
