package ledger

import (
	"encoding/json"
	"time"

	"yuanlu/agent/refund"
)

// caseObject is a case in JSON.
type caseObject struct {
	CaseID   string           `json:"case_id"`
	Open     bool             `json:"open"`
	Severity string           `json:"severity"`
	Opened   time.Time        `json:"opened"`
	Changed  time.Time        `json:"changed"`
	Link     string           `json:"link"`
	Verdict  refund.Verdict   `json:"verdict"`
	Refund   json.RawMessage  `json:"refund"`
	Original json.RawMessage  `json:"original,omitempty"`
	Explain  *refund.Explain  `json:"explain,omitempty"`
	Evidence []evidenceObject `json:"evidence,omitempty"`
}

type evidenceObject struct {
	Record   int64     `json:"record"`
	FrameMAC string    `json:"frame_mac"`
	Received time.Time `json:"received"`
}

// MarshalJSON writes the case as `cases show --json` prints it.
func (c *CaseDetail) MarshalJSON() ([]byte, error) {
	o := caseObject{CaseID: c.CaseID, Open: c.Open, Severity: c.Severity.String(), Opened: c.Opened, Changed: c.Changed,
		Link: c.Link, Verdict: c.Verdict, Refund: c.Refund.AppendJSON(nil)}
	if c.Original != nil {
		o.Original = c.Original.AppendJSON(nil)
	}
	if c.Judged.Explain.RuleSet != "" {
		o.Explain = &c.Judged.Explain
	}
	for _, s := range c.Sightings {
		o.Evidence = append(o.Evidence, evidenceObject{s.Seq, s.FrameMAC, s.Received})
	}
	return json.Marshal(o)
}
