package ledger

import (
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// collect reads from the newest records what is written of them only now and then: their
// keys, and the payers of sales.
func collect(c *conn) (payers, *keyIndex, error) {
	var p payers
	x, err := newKeyIndex(c)
	if err != nil {
		return p, nil, err
	}
	block, _, err := c.Int(`SELECT max(last) FROM payer`)
	if err != nil {
		return p, nil, err
	}
	err = c.Each(`SELECT `+rows.RecordColumns+` FROM record WHERE seq > ?1 ORDER BY seq`, func(s *sqlite.Row) error {
		row, err := rows.ScanRecord(s)
		if err != nil {
			return err
		}
		r, err := row.Decode()
		if err != nil {
			return err
		}
		if row.Seq > block {
			p.collect(&row, &r)
		}
		if row.Seq > x.upTo && row.CopyOf == 0 {
			return x.collect(&row, &r)
		}
		return nil
	}, min(block, x.upTo))
	return p, x, err
}

// collect adds the payers of a sale or preauth, or of a copy of one.
func (p *payers) collect(row *rows.Record, r *refund.Record) {
	if !r.Kind.Pays() || r.Party == nil {
		return
	}
	seq := row.Seq
	if row.CopyOf > 0 {
		seq = row.CopyOf
	}
	p.add(seq, r.Party.AllTokens())
}

// collect adds the keys of an event: those that its row names, else what its record has.
func (x *keyIndex) collect(row *rows.Record, r *refund.Record) error {
	add := func(value []byte) error {
		if len(value) > 0 {
			x.add(value, row.Seq, false)
		}
		return nil
	}
	if row.Keys != nil {
		return rows.EachKey(row.Keys, add)
	}
	var room []byte
	for _, k := range refund.KeysOf(r) {
		room = rows.AppendKey(room[:0], k)
		if err := add(room); err != nil {
			return err
		}
	}
	return nil
}
