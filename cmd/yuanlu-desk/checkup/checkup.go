// Package checkup is what the desk's doctor finds: facts in, lines for people out, each with
// its cause and a command that helps. Pure. Source: cli.md, doctor.
package checkup

import (
	"fmt"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// Levels of a Finding.
const (
	Fine    = "ok"
	Warning = "warning"
	Error   = "error"
)

// Finding is one line of the doctor, in one language. Remedy is a command, or what to change.
type Finding struct {
	Name   string `json:"name"`
	Level  string `json:"level"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// Worst returns the worst level of the lines.
func Worst(list []Finding) string {
	worst := Fine
	for _, f := range list {
		if f.Level == Error || f.Level == Warning && worst == Fine {
			worst = f.Level
		}
	}
	return worst
}

// Facts are what was looked at. What could not be looked at stays zero.
type Facts struct {
	Now      time.Time
	Settings Settings
	Store    Store
	People   People
	Broker   Broker
	Clock    Clock
}

// Clock is how the machine keeps time.
type Clock struct {
	Synced bool
	Newest time.Time // event of the case desk
}

// Broker is one connection that was made for the examination.
type Broker struct {
	URL            string
	Err            error  // why there is no connection
	HelpEN, HelpZH string // what to do about Err
	Took           time.Duration
	User           string
	Refused        []string // filters that the broker does not let us subscribe to
	Topics         string   // of all terminals
	Known          int64    // terminals that are in the store
	Came           int      // messages that terminals keep at the broker, as they came to us
	Host           string   // of the desk, in its presence
	Online         bool     // the desk's presence
	Observes       bool     // it publishes none
	CertEnds       time.Time
	CertFile       string
}

// People are who works at the case desk.
type People struct {
	Known      bool // they could be read
	List       []casework.Person
	MustChange []string // ids
	At         string   // how the store is named on a command line
}

// maker collects findings in one language.
type maker struct {
	chinese bool
	now     time.Time
	list    []Finding
}

func (m *maker) t(en, zh string) string {
	if m.chinese {
		return zh
	}
	return en
}

// add adds a finding. name, text and remedy are English and Chinese.
func (m *maker) add(level string, name, text, remedy [2]string, args ...any) {
	m.list = append(m.list, Finding{m.t(name[0], name[1]), level, fmt.Sprintf(m.t(text[0], text[1]), args...), m.t(remedy[0], remedy[1])})
}

// well adds a line if nothing was amiss since.
func (m *maker) well(since int, name, text [2]string, args ...any) {
	if Worst(m.list[since:]) == Fine {
		m.fine(name, text, args...)
	}
}

func (m *maker) fine(name, text [2]string, args ...any) {
	m.add(Fine, name, text, [2]string{}, args...)
}

// same is a remedy that is a command, the same in both languages.
func same(format string, args ...any) [2]string {
	text := fmt.Sprintf(format, args...)
	return [2]string{text, text}
}

// Examine makes the lines of the doctor.
func Examine(f *Facts, chinese bool) []Finding {
	m := &maker{chinese: chinese, now: f.Now}
	m.settings(&f.Settings)
	m.store(&f.Store)
	m.clock(&f.Clock)
	m.people(&f.People)
	m.broker(&f.Broker)
	return m.list
}

// clockSlack is how far ahead of the clock an event may be.
const clockSlack = 2 * time.Minute

func (m *maker) clock(c *Clock) {
	name := [2]string{"clock", "时钟"}
	switch ahead := c.Newest.Sub(m.now); {
	case !c.Newest.IsZero() && ahead > clockSlack:
		m.add(Error, name, [2]string{"the newest event of the case desk is of %s, %v ahead of this clock: deadlines stand still until then", "案件台最新事件时间为 %s，比本机时钟快 %v：在此之前期限不会推进"},
			same("timedatectl set-ntp true; timedatectl"), c.Newest.Format(time.RFC3339), ahead.Round(time.Second))
	case !c.Synced:
		m.add(Warning, name, [2]string{"nothing sets this machine's clock; deadlines and sessions go by it", "本机时钟未同步；期限与会话以其为准"}, same("timedatectl set-ntp true"))
	default:
		m.fine(name, [2]string{"set by the network", "已与网络同步"})
	}
}

func (m *maker) broker(b *Broker) {
	name := [2]string{"broker", "服务器"}
	switch {
	case b.URL == "":
		return
	case b.Err != nil:
		m.add(Error, name, [2]string{"%s: %v", "%s：%v"}, [2]string{b.HelpEN, b.HelpZH}, b.URL, b.Err)
		return
	}
	m.fine(name, [2]string{"%s answers after %v", "%s 应答耗时 %v"}, b.URL, b.Took.Round(time.Millisecond))
	m.certificate([2]string{"client certificate", "客户端证书"}, b.CertFile, b.CertEnds)
	access := [2]string{"access list", "访问控制"}
	for _, filter := range b.Refused {
		m.add(Error, access, [2]string{"the broker does not let this user read %s", "服务器不允许该用户订阅 %s"},
			same("printf 'user %s\\ntopic read %s\\n' | sudo tee -a /etc/mosquitto/acl && sudo systemctl reload mosquitto", b.User, filter), filter)
	}
	switch { // many brokers let everybody subscribe, and withhold the messages
	case len(b.Refused) > 0:
	case b.Known > 0 && b.Came == 0:
		m.add(Error, access, [2]string{"%d terminals are known, and nothing comes of what they keep at the broker", "已知终端 %d 台，但其保留消息无一到达"},
			same("printf 'user %s\\ntopic read %s\\n' | sudo tee -a /etc/mosquitto/acl && sudo systemctl reload mosquitto", b.User, b.Topics), b.Known)
	case b.Known == 0:
		m.fine(access, [2]string{"subscribing is allowed; no terminal has reported yet", "可订阅；尚无终端上报"})
	default:
		m.fine(access, [2]string{"what terminals keep at the broker comes: %d messages", "终端保留消息可达：%d 条"}, b.Came)
	}
	desk := [2]string{"desk", "后台"}
	switch {
	case b.Observes:
		m.add(Warning, desk, [2]string{"it only observes: it acknowledges nothing, and the terminals keep what they report until another desk does", "仅观察：不确认任何事件，须由另一后台确认"},
			[2]string{"take --observe out of the settings when no other desk acknowledges", "若无其他后台确认，请去掉 --observe"})
	case !b.Online:
		m.add(Error, desk, [2]string{"no desk is online as %q at this broker", "该服务器上没有名为 %q 的后台在线"}, same("sudo systemctl enable --now yuanlu-desk; journalctl -u yuanlu-desk -n 20"), b.Host)
	default:
		m.fine(desk, [2]string{"online as %q", "在线，名称 %q"}, b.Host)
	}
}

// certSoon is when the end of a certificate is near.
const certSoon = 30 * 24 * time.Hour

func (m *maker) certificate(name [2]string, file string, ends time.Time) {
	switch left := ends.Sub(m.now); {
	case ends.IsZero():
	case left <= 0:
		m.add(Error, name, [2]string{"%s ended on %s", "%s 已于 %s 过期"}, same("openssl x509 -noout -subject -enddate -in %s", file), file, ends.Format(time.DateOnly))
	case left < certSoon:
		m.add(Warning, name, [2]string{"%s ends on %s", "%s 将于 %s 到期"}, same("openssl x509 -noout -subject -enddate -in %s", file), file, ends.Format(time.DateOnly))
	default:
		m.fine(name, [2]string{"%s is valid until %s", "%s 有效期至 %s"}, file, ends.Format(time.DateOnly))
	}
}
