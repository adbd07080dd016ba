package config

import (
	"slices"
	"strings"
	"time"
)

// supervisors is the table of those who may release holds.
const supervisors = "guard.supervisor"

func guardLevel(field func(*Config, int) *string) Setting {
	return text("link[].guard", GuardOff, "whether refunds that would go wrong are held before they are made: off; advise: the cashier is warned; hold: a supervisor or the back office releases; office: the back office, a supervisor if it cannot",
		"退款前核查：off 不核查；advise 仅提示收银员；hold 由店内主管或后台放行；office 由后台放行，后台无法处理时由主管放行",
		oneOf(GuardOff, GuardAdvise, GuardHold, GuardOffice), field).withRange("off, advise, hold, office")
}

func guardSettings() []Setting {
	at := func(c *Config, i int) *Supervisor { return &c.Guard.Supervisors[i] }
	return []Setting{
		span("guard.hold_for", "300s", 10*time.Second, day, "running time after which a hold expires", "暂停多久后失效",
			func(c *Config, _ int) *time.Duration { return &c.Guard.HoldFor }),
		span("guard.office_hold_for", "900s", 10*time.Second, day, "running time after which a hold of level office expires", "office 级别的暂停多久后失效",
			func(c *Config, _ int) *time.Duration { return &c.Guard.OfficeHoldFor }),
		span("guard.office_wait", "60s", 0, day, "level office: running time that the back office has before a supervisor may release", "office 级别下主管可放行前留给后台的时间",
			func(c *Config, _ int) *time.Duration { return &c.Guard.OfficeWait }),
		text("guard.socket", "", "socket of the guard's local API; empty: guard.sock beside control.socket", "核查接口的本地套接字；留空为 control.socket 同目录下 guard.sock",
			optional(absolute), func(c *Config, _ int) *string { return &c.Guard.Socket }).local("the till's software looks for it where the file says"),
		text("guard.group", "", "group whose members may use that socket; empty: that of the daemon", "可使用该套接字的用户组；留空为守护进程的组",
			optional(groupName), func(c *Config, _ int) *string { return &c.Guard.Group }).local("who may ask on this machine is settled here"),
		text("guard.listen", "", "where the local API also listens, of this machine alone: 127.0.0.1:8471; empty: nowhere", "核查接口的本机地址，如 127.0.0.1:8471；留空不监听",
			optional(loopbackAddress), func(c *Config, _ int) *string { return &c.Guard.Listen }).
			withRange("a loopback address and a port from 1 to 65535").local("the payment firmware may need that port"),
		text("guard.token_file", "", "file whose first line a client must show at guard.listen", "令牌文件，取首行；访问 guard.listen 时须出示", optional(absolute),
			func(c *Config, _ int) *string { return &c.Guard.TokenFile }).local(whyFile),
		text("guard.supervisor[].id", "", "name of a supervisor who may release holds; his PIN is set by yuanlu guard pin", "可放行的主管标识；PIN 用 yuanlu guard pin 设置",
			supervisorID, func(c *Config, i int) *string { return &at(c, i).ID }).required().withRange("1 to 32 of a-z, 0-9 and -; each once"),
		text("guard.supervisor[].name", "", "his name, for people", "姓名", nil, func(c *Config, i int) *string { return &at(c, i).Name }),
		texts("guard.supervisor[].operators", "every cashier number that he ever uses, one that several people share with each of them; he releases no refund of these", "他用过的全部收银员号（多人共用的号须逐人列出）；这些号的退款他不能放行",
			operatorNo, func(c *Config, i int) *[]string { return &at(c, i).Operators }).withRange("up to 16"),
	}
}

func supervisorID(text string) string {
	if name(text) == "" && len(text) <= 32 {
		return ""
	}
	return "wants 1 to 32 of a-z, 0-9 and -"
}

func groupName(text string) string {
	if len(text) > 64 || strings.ContainsAny(text, " /:") {
		return "wants the name or number of a group"
	}
	return ""
}

func operatorNo(text string) string {
	if text == "" || len(text) > 64 {
		return "wants cashier numbers of 1 to 64 characters"
	}
	return ""
}

// checkGuard looks at what the guard needs besides. Source: guard.md.
func (l *loader) checkGuard() {
	var seen []string
	for i, s := range l.c.Guard.Supervisors {
		if s.ID != "" && slices.Contains(seen, s.ID) {
			l.problem(l.where(supervisors, i, "id"), element(supervisors, i, "id"), "%q is already the id of another supervisor", s.ID)
		}
		seen = append(seen, s.ID)
	}
	for i, link := range l.c.Links {
		if link.Guard == GuardOffice && len(l.c.Backoffice.Keys) == 0 {
			l.problem(l.where("link", i, "guard"), element("link", i, "guard"), "guard = %q needs a [[backoffice.key]]: a release of the back office is taken only signed", GuardOffice)
		}
	}
	if l.c.Guard.Listen != "" && l.c.Guard.TokenFile == "" {
		l.problem(l.where("guard", 0, "listen"), "guard.listen", "listen needs guard.token_file beside it: without a token every program of this machine could ask")
	}
}
