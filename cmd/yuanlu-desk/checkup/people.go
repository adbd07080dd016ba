package checkup

import (
	"slices"
	"strings"

	"yuanlu/cmd/yuanlu-desk/casework"
)

func (m *maker) people(p *People) {
	name := [2]string{"people", "人员"}
	if !p.Known {
		return
	}
	active := func(roles ...string) (ids []string) {
		for i := range p.List {
			if one := &p.List[i]; one.Active && slices.ContainsFunc(one.Roles, func(r string) bool { return slices.Contains(roles, r) }) {
				ids = append(ids, one.ID)
			}
		}
		return ids
	}
	add := func(role string) [2]string {
		return same("yuanlu-desk people add ID --staff NUMBER --role %s --shop '*' --store %s", role, p.At)
	}
	if len(p.List) == 0 {
		m.add(Warning, name, [2]string{"nobody works here yet", "尚无人员"}, add("supervisor,checker,manager"))
		return
	}
	before := len(m.list)
	makers, checkers := active("manager", "analyst", "supervisor"), active("checker", "supervisor")
	switch {
	case len(makers) == 0:
		m.add(Error, name, [2]string{"nobody may work on a case", "无人可处理案件"}, add("manager"))
	case len(checkers) == 0, len(checkers) == 1 && len(makers) == 1 && checkers[0] == makers[0]:
		m.add(Error, name, [2]string{"nobody may approve what another proposes: no case can come to its end", "无人可审批他人的提案：案件无法结案"}, add("checker"))
	case len(active("supervisor")) == 0:
		m.add(Warning, name, [2]string{"there is no supervisor: nobody may approve a loss or a reopening", "没有主管：无人可审批核销或重开"}, add("supervisor"))
	}
	if len(active("admin")) == 0 {
		m.add(Warning, name, [2]string{"nobody is admin: people are added on this machine alone", "没有管理员：只能在本机增改人员"}, add("admin"))
	}
	if !slices.ContainsFunc(p.List, func(one casework.Person) bool { return one.Active && slices.Contains(one.Stores, "*") }) {
		m.add(Warning, name, [2]string{"nobody sees cases that belong to no store", "不属任何门店的案件无人可见"}, add("supervisor"))
	}
	if len(p.MustChange) > 0 {
		m.add(Warning, name, [2]string{"%s: the first password was never changed; who has seen it may log in", "%s：初始密码未修改，见过者即可登录"}, same("yuanlu-desk people password %s --store %s", p.MustChange[0], p.At), strings.Join(p.MustChange, ", "))
	}
	m.well(before, name, [2]string{"%d, and two can always decide together", "%d 人，可双人复核"}, len(p.List))
}
