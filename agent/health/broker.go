package health

import (
	"time"

	"yuanlu/agent/config"
)

// brokerPatience is how long the broker may be away before it is a problem.
const brokerPatience = 2 * time.Minute

var (
	setURL       = both("set mqtt.url", "设置 mqtt.url")
	checkBroker  = both("check the broker's log", "查看服务器日志")
	checkNetwork = both("check network, mqtt.url and certificates; cases wait in the outbox", "检查网络、mqtt.url 和证书；案件在队列中等待")
)

func brokerProblems(p *problems, s *Snapshot, _ *config.Config) {
	m := s.MQTT
	if m == nil {
		p.add(Note, "mqtt_not_configured", "", both("no broker is configured: cases stay on this terminal", "未配置 MQTT 服务器：案件仅保存在本机"), setURL)
		return
	}
	if !m.Connected && s.Uptime > brokerPatience && s.At.Sub(m.Since) > brokerPatience {
		p.add(Degraded, "mqtt_offline", "", textf("the broker is not reachable: %s", "无法连接 MQTT 服务器：%s", m.LastError), remedyOf(m))
	}
	for _, one := range m.Problems {
		p.add(Degraded, one.Code, "", same(one.Text), brokerRemedy(one.Code)).Since = one.Since
	}
}

// remedyOf returns what to do about the last error of the connection.
func remedyOf(m *Broker) config.Text {
	if m.Remedy == "" {
		return checkNetwork
	}
	return textf("%s; cases wait in the outbox", "%s；案件在队列中等待", same(m.Remedy))
}

// brokerRemedy returns what to do about a problem that the reporter has found.
func brokerRemedy(code string) config.Text {
	switch code {
	case "unacknowledged":
		return both("yuanlu doctor --echo shows whether the back office answers; it must run, read up/case and write dn/ack, and the broker's access list must allow both",
			"yuanlu doctor --echo 检查后台是否应答；后台须运行、可读 up/case、可写 dn/ack，且服务器访问控制允许")
	case "duplicate_client_id":
		return both("two terminals use one terminal.id: the broker's log has the address of the other one; give each its own id", "两台终端使用同一 terminal.id：服务器日志中有另一台的地址；请为每台设置各自的 id")
	case "subscription_refused":
		return both("allow this terminal to read dn/# in the broker's access list", "在服务器访问控制中允许本终端读取 dn/#")
	}
	return both("see the log: yuanlu tail -n 50", "查看日志：yuanlu tail -n 50")
}

// Contact is what became of connecting to the broker for an examination.
type Contact struct {
	Failed    []Attempt // before it worked, or in vain
	Connected bool      // the rest is filled in
	Address   string
	Filter    string        // of what comes down
	Took      time.Duration // of subscribing to it
	Refused   bool          // the broker does not grant it
	Err       error         // why the connection cannot be used
	Host      *HostSeen     // nil: not looked for
	Answer    *Answer       // nil: the back office was not asked
	CloseErr  error
}

// Attempt is one address that could not be connected to.
type Attempt struct{ Text, Remedy string }

// HostSeen is the presence of the back office as a new connection sees it.
type HostSeen struct {
	Host
	Err error // why it cannot be seen
}

func lookAtBroker(e *Examination) {
	name := both("broker", "服务器")
	if e.Snapshot == nil {
		e.contact(name)
		return
	}
	bad, m := e.problems("mqtt_"), e.Snapshot.MQTT
	switch {
	case m == nil, bad && !m.Connected:
		return
	case !m.Connected:
		text := both("not connected", "未连接")
		if m.LastError != "" {
			text = textf("%s: %s", "%s：%s", text, m.LastError)
		}
		e.add(Error, name, text, remedyOf(m))
		return
	case e.m.EchoErr != nil:
		e.add(Error, name, textf("connected, but gives no answer: %v", "已连接，但无应答：%v", e.m.EchoErr), both("check the network and the broker", "检查网络和服务器"))
		return
	}
	text := textf("connected since %s, %d reconnects, the broker answers within %s", "自 %s 起已连接，重连 %d 次，服务器 %s 内应答",
		e.clockTime(m.Since), m.Reconnects, e.m.EchoTook.Round(time.Millisecond/10))
	if m.Address != "" {
		text = textf("%s: %s", "%s：%s", m.Address, text)
	}
	if m.LastError != "" {
		text = textf("%s; before that: %s", "%s；此前：%s", text, m.LastError)
	}
	e.fine(name, text)
}

// contact is lookAtBroker where the examination has made a connection of its own.
func (e *Examination) contact(name config.Text) {
	c := e.m.Contact
	if c == nil {
		e.add(Warning, name, both("none configured: cases stay on this terminal", "未配置：案件仅保存在本机"), setURL)
		return
	}
	level := Error
	if c.Connected {
		level = Warning // another address works
	}
	for _, f := range c.Failed {
		remedy := same(f.Remedy)
		if f.Remedy == "" {
			remedy = checkNetwork
		}
		e.add(level, name, same(f.Text), remedy)
	}
	if !c.Connected {
		return
	}
	switch {
	case c.Refused:
		e.add(Warning, name, textf("%s, but it refuses %s", "%s，但拒绝订阅 %s", c.Address, c.Filter),
			both("acknowledgements and commands do not arrive; check its access list", "确认和命令无法到达；检查其访问控制列表"))
	case c.Err != nil:
		e.add(Error, name, same(c.Err.Error()), checkBroker)
	default:
		e.fine(name, textf("%s, round trip %s", "%s，往返 %s", c.Address, c.Took.Round(time.Millisecond/10)))
	}
	if c.Host != nil {
		e.hostSeen(c.Host)
	}
	if c.Answer != nil {
		e.m.Answer = c.Answer // StepEcho follows where it was asked
	}
	if c.CloseErr != nil {
		e.add(Warning, name, same(c.CloseErr.Error()), checkBroker)
	}
}
