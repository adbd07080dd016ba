package ledger

import (
	"strings"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// conn is a connection to a store, with what verdicts need besides their rows: the names
// of rules. It is used by one goroutine at a time.
type conn struct {
	*sqlite.Conn
	rules map[string][]string // names of rules by rule set, as read
	saved string              // rule set whose names this connection has written
	find  *ranges
	known int64  // the schema version, 0: not asked yet
	text  []byte // room for a text that is unpacked
	pack  []byte // room for one that is packed
}

// openConn opens a database whose pages have sums.
func openConn(path string, mode sqlite.Mode) (*conn, error) {
	c, err := sqlite.Open(path, mode)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

// version returns the schema version; nothing changes it once a store is in use.
func (c *conn) version() (v int64, err error) {
	if c.known == 0 {
		c.known, _, err = c.Int("PRAGMA user_version")
	}
	return c.known, err
}

// stored returns a text as a row of this store keeps it, good until the next call. A program of
// an older version can read none that is packed.
func (c *conn) stored(text []byte) ([]byte, error) {
	version, err := c.version()
	if err != nil || version < packedVersion {
		return text, err
	}
	c.pack = packed.Append(c.pack[:0], text)
	return c.pack, nil
}

// rulesName is where the store keeps the names of a rule set's rules, in their
// order; verdicts name them by place.
func rulesName(ruleSet string) string { return "rules." + ruleSet }

// ruleNames returns the names of a rule set's rules, nil if the store does not know it.
func (c *conn) ruleNames(ruleSet string) ([]string, error) {
	if names, ok := c.rules[ruleSet]; ok {
		return names, nil
	}
	text, err := metaText(c, rulesName(ruleSet))
	if err != nil || text == "" {
		return nil, err
	}
	names := strings.Split(text, "\n")
	if c.rules == nil {
		c.rules = make(map[string][]string)
	}
	c.rules[ruleSet] = names
	return names, nil
}

// saveRuleNames stores the names of the rules that x lists.
func (c *conn) saveRuleNames(x *refund.Explain) error {
	if len(x.Rules) == 0 || c.saved == x.RuleSet {
		return nil
	}
	names := make([]string, len(x.Rules))
	for i := range x.Rules {
		names[i] = x.Rules[i].Rule
	}
	if err := setMeta(c, rulesName(x.RuleSet), strings.Join(names, "\n")); err != nil {
		return err
	}
	c.saved = x.RuleSet
	return nil
}
