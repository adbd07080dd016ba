package screen

import (
	"fmt"
	"strconv"
	"strings"

	"yuanlu/agent/ledger"
)

// Entries prints the entries of an outbox, each in one line of the screen.
func (s *Screen) Entries(all []ledger.OutboxRow) error {
	t := s.t
	if len(all) == 0 {
		_, err := fmt.Fprintln(s.W, t("the outbox is empty", "待发队列为空"))
		return err
	}
	rows := [][]string{{t("entry", "编号"), t("no.", "序号"), t("state", "状态"), t("attempt", "次数"), t("since", "时间"), t("what", "内容"), t("reason", "原因")}}
	for i := range all {
		n, number := &all[i].Notice, ""
		if n.Sequence > 0 {
			number = strconv.FormatInt(n.Sequence, 10)
		}
		state := s.name(all[i].State)
		if all[i].State == "quarantined" {
			state = t("refused", "被拒收")
		}
		rows = append(rows, []string{strconv.FormatInt(n.Entry, 10), number, state, strconv.Itoa(n.Attempt),
			n.Time.In(s.Zone).Format("01-02 15:04:05"), s.entry(n.Type, n.Subject), strings.TrimSpace(all[i].Code + " " + all[i].Message)})
	}
	s.Table(rows)
	return nil
}

// entry is what an entry is about: "case opened 1VSE99RD".
func (s *Screen) entry(kind, subject string) string {
	code := strings.TrimSuffix(strings.TrimPrefix(kind, "yuanlu."), ".v1")
	about := strings.TrimPrefix(subject, "case/")
	if about != subject && s.narrow() {
		about = about[:min(len(about), shortID)]
	}
	return strings.TrimSpace(s.name(code) + " " + about)
}
