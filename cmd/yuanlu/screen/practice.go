package screen

import (
	"fmt"

	"yuanlu/agent/guard"
)

// Practice prints how each operator did in practice; stored: by the store alone, which has what
// was held.
func (s *Screen) Practice(all []guard.Practised, stored bool) error {
	t := s.t
	if len(all) == 0 {
		_, err := fmt.Fprintln(s.W, t("no cashier has practised", "没有收银员做过退款练习"))
		return err
	}
	rows := [][]string{{t("merchant", "商户"), t("operator", "收银员"), t("asks", "核查"), t("held", "暂停"), t("corrected himself", "自行更正")}}
	for i := range all {
		n := &all[i]
		operator := n.Operator
		if operator == "" {
			operator = "-"
		}
		rows = append(rows, []string{n.MerchantID, operator, fmt.Sprint(n.Asks), fmt.Sprint(n.Held), fmt.Sprint(n.Corrected)})
	}
	s.Table(rows)
	if !stored {
		return nil
	}
	_, err := fmt.Fprintln(s.W, t("yuanlu is not running: only held refunds are counted", "yuanlu 未运行：只统计被暂停的退款"))
	return err
}
