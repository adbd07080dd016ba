package config

import (
	"slices"
	"strings"
	"time"

	"yuanlu/agent/catalogue"
)

// Options are what a file is read against.
type Options struct {
	Wires []string // names of the wires that are built in
}

// settings is the whole table: every name there is, in the order of `config schema`.
func settings(o Options) []Setting {
	all := slices.Concat(terminalSettings(), linkSettings(o.Wires), mqttSettings(),
		guardSettings(), caseSettings(), daySettings(), logSettings())
	for i := range all {
		s := &all[i]
		dot := strings.LastIndexByte(s.Name, '.')
		s.table, s.key = strings.TrimSuffix(s.Name[:dot], "[]"), s.Name[dot+1:]
	}
	return all
}

const day = 24 * time.Hour

// MinTrial and MaxTrial bound how long a configuration from afar may try to reach
// the broker.
const (
	MinTrial = 5 * time.Second
	MaxTrial = time.Hour
)

func text(n, def, en, zh string, check func(string) string, field func(*Config, int) *string) Setting {
	return Setting{Name: n, Type: "string", Default: def, Doc: catalogue.Both(en, zh), check: check,
		field: func(c *Config, i int) any { return field(c, i) }}
}

// texts is one text or a list of them; each is checked by itself.
func texts(n, en, zh string, check func(string) string, field func(*Config, int) *[]string) Setting {
	return Setting{Name: n, Type: "string or list of strings", Doc: catalogue.Both(en, zh), check: check,
		field: func(c *Config, i int) any { return field(c, i) }}
}

func flag(n, def, en, zh string, field func(*Config, int) *bool) Setting {
	return Setting{Name: n, Type: "bool", Default: def, Doc: catalogue.Both(en, zh),
		field: func(c *Config, i int) any { return field(c, i) }}
}

func integer(n, def string, low, high int64, rng, en, zh string, field func(*Config, int) *int) Setting {
	return Setting{Name: n, Type: "integer", Default: def, Range: rng, low: low, high: high, Doc: catalogue.Both(en, zh),
		field: func(c *Config, i int) any { return field(c, i) }}
}

func size(n, def string, low, high int64, en, zh string, field func(*Config, int) *int64) Setting {
	return Setting{Name: n, Type: "size", Default: def, Range: sizeText(low) + " to " + sizeText(high),
		low: low, high: high, Doc: catalogue.Both(en, zh), field: func(c *Config, i int) any { return field(c, i) }}
}

func span(n, def string, low, high time.Duration, en, zh string, field func(*Config, int) *time.Duration) Setting {
	return Setting{Name: n, Type: "duration", Default: def, Range: durationText(low) + " to " + durationText(high),
		low: int64(low), high: int64(high), Doc: catalogue.Both(en, zh), field: func(c *Config, i int) any { return field(c, i) }}
}

func (s Setting) required() Setting {
	s.Required = true
	return s
}

func (s Setting) withRange(rng string) Setting {
	s.Range = rng
	return s
}

// local marks a setting that may not come from afar, and why.
func (s Setting) local(why string) Setting {
	s.Local = why
	return s
}

func (s Setting) withType(t string) Setting {
	s.Type = t
	return s
}

// Why some settings are the terminal's own.
const (
	whyStore = "the records, their keys and this very configuration lie there"
	whyFile  = "it names a file of the terminal"
)

func terminalSettings() []Setting {
	return []Setting{
		text("terminal.id", "", "name of this terminal in topics, equal to the MQTT client id and the certificate's common name",
			"终端名称，用于主题，与 MQTT 客户端标识及证书的通用名相同",
			name, func(c *Config, _ int) *string { return &c.Terminal.ID }).
			required().withRange("1 to 64 of a-z, 0-9 and -").local("it names this terminal to the broker"),
		text("terminal.merchant_id", "", "merchant of this terminal; records of others are kept, and said to be so",
			"本终端的商户号；其他商户的记录照样保存并注明",
			optional(merchant), func(c *Config, _ int) *string { return &c.Terminal.MerchantID }).
			withRange("up to 32 letters and digits").local("whose terminal it is is settled where it stands"),
		text("store.dir", "/var/lib/yuanlu", "where the store, its keys, quarantine and captures lie",
			"数据目录：数据库、密钥、隔离区、抓包", absolute, func(c *Config, _ int) *string { return &c.Store.Dir }).
			local(whyStore),
		text("store.mount", "", "mount point that must be there before anything is created; empty: not checked",
			"必须已挂载的分区；留空则不检查", optional(absolute), func(c *Config, _ int) *string { return &c.Store.Mount }).
			local(whyStore),
		span("store.retention", "540d", day, 3650*day, "how long records are kept", "记录保存多久",
			func(c *Config, _ int) *time.Duration { return &c.Store.Retention }).local("what it deletes does not come back"),
	}
}

func linkSettings(wires []string) []Setting {
	at := func(c *Config, i int) *Link { return &c.Links[i] }
	return []Setting{
		text("link[].name", "", "name of the link in topics, logs and verbs", "链路名称",
			name, func(c *Config, i int) *string { return &at(c, i).Name }).
			required().withRange("1 to 64 of a-z, 0-9 and -; each once"),
		text("link[].wire", "", "what is spoken on the link", "链路协议",
			oneOf(wires...), func(c *Config, i int) *string { return &at(c, i).Wire }).
			required().withRange(strings.Join(wires, ", ")),
		text("link[].port", "", "a tty, a /dev/serial/by-id name, or usb:VID:PID[:SERIAL]", "串口设备、/dev/serial/by-id 名称，或 usb:VID:PID[:序列号]",
			port, func(c *Config, i int) *string { return &at(c, i).Port }).required(),
		integer("link[].baud", "9600", 300, 4_000_000, "300 to 4000000", "bits per second, serial only", "波特率，仅串口",
			func(c *Config, i int) *int { return &at(c, i).Baud }),
		integer("link[].data_bits", "8", 5, 8, "5 to 8", "data bits, serial only", "数据位，仅串口",
			func(c *Config, i int) *int { return &at(c, i).DataBits }),
		text("link[].parity", "none", "parity, serial only", "校验位，仅串口", oneOf("none", "odd", "even", "mark", "space"),
			func(c *Config, i int) *string { return &at(c, i).Parity }).withRange("none, odd, even, mark, space"),
		text("link[].stop_bits", "1", "stop bits, serial only", "停止位，仅串口", oneOf("1", "2"),
			func(c *Config, i int) *string { return &at(c, i).StopBits }).withRange("1, 2").withType("string or integer"),
		span("link[].frame_timeout", "500ms", 10*time.Millisecond, time.Minute, "silence within a frame after which it is given up",
			"帧内静默多久后放弃该帧", func(c *Config, i int) *time.Duration { return &at(c, i).FrameTimeout }),
		text("link[].profile", "", "file that says how the acquirer differs; empty: the built-in one", "收单机构差异文件；留空用内置",
			optional(absolute), func(c *Config, i int) *string { return &at(c, i).Profile }),
		flag("link[].enabled", "true", "false: the link is left alone", "false：不使用该链路",
			func(c *Config, i int) *bool { return &at(c, i).Enabled }),
		guardLevel(func(c *Config, i int) *string { return &at(c, i).Guard }),
	}
}

func mqttSettings() []Setting {
	m := func(n, def, en, zh string, check func(string) string, field func(*MQTT) *string) Setting {
		return text("mqtt."+n, def, en, zh, check, func(c *Config, _ int) *string { return field(&c.MQTT) })
	}
	file := optional(absolute)
	return []Setting{
		texts("mqtt.url", "the broker: tls://host:8883, or tcp://host:1883; a list where it has several, as a cluster has: every attempt takes the next, and of a name all its addresses; empty: nothing is reported",
			"MQTT 服务器地址；集群可写为列表，每次连接依次换用下一个地址（含域名的全部地址）；留空则不上报",
			brokerURL, func(c *Config, _ int) *[]string { return &c.MQTT.URLs }).withRange("tls:// or tcp://, host and port; up to 16"),
		m("root", "yuanlu", "first levels of every topic", "主题根", topicRoot, func(m *MQTT) *string { return &m.Root }).
			local("with another one the back office would no longer reach the terminal"),
		m("client_id", "", "empty: terminal.id", "留空则用 terminal.id",
			optional(name), func(m *MQTT) *string { return &m.ClientID }).
			local("it names this terminal to the broker"),
		m("username", "", "user name; empty: terminal.id where there is a password file, else none", "用户名",
			nil, func(m *MQTT) *string { return &m.Username }).local("it names this terminal to the broker"),
		m("password_file", "", "file whose first line is the password", "密码文件，取首行", file, func(m *MQTT) *string { return &m.PasswordFile }).
			local(whyFile),
		m("ca_file", "", "certificates that the broker's is checked against; empty: the system's", "CA 证书；留空用系统证书", file,
			func(m *MQTT) *string { return &m.CAFile }).local(whyFile),
		m("cert_file", "", "certificate of this terminal", "终端证书", file, func(m *MQTT) *string { return &m.CertFile }).local(whyFile),
		m("key_file", "", "private key of that certificate", "终端私钥", file, func(m *MQTT) *string { return &m.KeyFile }).local(whyFile),
		m("server_name", "", "name in the broker's certificate; empty: the host of url", "服务器证书名称；留空取 url 主机名", nil,
			func(m *MQTT) *string { return &m.ServerName }),
		flag("mqtt.allow_plaintext", "false", "tcp:// also to other hosts", "允许明文 tcp:// 连接其他主机",
			func(c *Config, _ int) *bool { return &c.MQTT.AllowPlaintext }).local("encryption is not taken away from afar"),
		span("mqtt.keep_alive", "30s", 5*time.Second, 20*time.Minute, "silence after which the broker is asked for a sign of life", "心跳间隔",
			func(c *Config, _ int) *time.Duration { return &c.MQTT.KeepAlive }),
		span("mqtt.connect_timeout", "15s", time.Second, 2*time.Minute, "how long one attempt to connect may take", "连接超时",
			func(c *Config, _ int) *time.Duration { return &c.MQTT.ConnectTimeout }),
		text("delivery.ack", "backoffice", "who makes a case delivered: the back office's dn/ack, or the broker's PUBACK", "以谁的确认为准",
			oneOf("backoffice", "broker"), func(c *Config, _ int) *string { return &c.Delivery.Ack }).withRange("backoffice, broker"),
		span("delivery.ack_timeout", "30s", time.Second, 15*time.Minute, "first wait for an acknowledgement before sending again; doubles to 15m",
			"首次等待确认的时间，之后加倍至 15 分钟", func(c *Config, _ int) *time.Duration { return &c.Delivery.AckTimeout }),
		size("delivery.max_bytes", "16MiB", 64<<10, 4<<30, "most that may wait in the outbox; from the back office at most 256MiB, or what this file says", "待发队列上限；后台下发时不超过 256MiB 或本机文件所设",
			func(c *Config, _ int) *int64 { return &c.Delivery.MaxBytes }),
		text("backoffice.host", "", "whose presence ({root}/v1/_host/{host}/state) is watched; empty: nobody's", "关注其在线状态的后台名称；留空不关注",
			optional(name), func(c *Config, _ int) *string { return &c.Backoffice.Host }),
		text("evidence.cosigner", "", "the only key whose co-signatures of the evidence log are believed, as yuanlu-desk keygen has printed it; empty: any", "只信此密钥对证据日志的会签（yuanlu-desk keygen 输出）；留空则都信",
			optional(cosigner), func(c *Config, _ int) *string { return &c.Evidence.Cosigner }),
		text("backoffice.key[].id", "", "id of a key the back office signs with", "后台签名密钥的标识",
			name, func(c *Config, i int) *string { return &c.Backoffice.Keys[i].ID }).required(),
		text("backoffice.key[].public_key", "", "base64 of the Ed25519 public key (32 bytes)", "Ed25519 公钥（32 字节）的 base64",
			publicKey, func(c *Config, i int) *string { return &c.Backoffice.Keys[i].PublicKey }).required(),
		flag("remote.config", "true", "false: no configuration is taken from the back office", "false：不接受后台下发的配置",
			func(c *Config, _ int) *bool { return &c.Remote.Config }).local("whether anything comes from afar is settled here"),
		span("remote.trial", "5m", MinTrial, MaxTrial, "running time a configuration from the back office has until the terminal can be reached again, else the one before returns; at another broker something must have come from the back office",
			"后台下发的配置须在此运行时间内使终端重新可被后台联系，否则恢复原配置；更换服务器时须已收到后台消息", func(c *Config, _ int) *time.Duration { return &c.Remote.Trial }),
	}
}

func daySettings() []Setting {
	return []Setting{
		flag("day.report", "true", "report what passed on each day, so that the back office can reconcile it with the bills of platforms and acquirers", "上报每日交易摘要，供后台与平台、收单机构账单核对",
			func(c *Config, _ int) *bool { return &c.Day.Report }),
		text("day.at", "02:00", "when a day is reported: at this time of the day after, in time.zone", "次日何时上报（按 time.zone）",
			timeOfDay, func(c *Config, _ int) *string { return &c.Day.At }).withRange("00:00 to 23:59"),
	}
}

func caseSettings() []Setting {
	all := []Setting{
		text("case.min_severity", "medium", "least severity of a finding that opens a case", "立案的最低级别",
			oneOf("info", "low", "medium", "high", "critical"), func(c *Config, _ int) *string { return &c.Case.MinSeverity }).
			withRange("info, low, medium, high, critical"),
		span("case.pending_grace", "10m", 0, day, "running time that a refund without its sale waits before it is spoken of", "找不到原交易时的等待时间",
			func(c *Config, _ int) *time.Duration { return &c.Case.PendingGrace }),
	}
	windows := []struct {
		channel, days string
		field         func(w *Window) *int
	}{
		{"card", "180", func(w *Window) *int { return &w.Card }},
		{"wechat", "365", func(w *Window) *int { return &w.WeChat }},
		{"alipay", "365", func(w *Window) *int { return &w.Alipay }},
		{"unionpay_qr", "360", func(w *Window) *int { return &w.UnionPayQR }},
		{"jd", "365", func(w *Window) *int { return &w.JD }},
		{"ecny", "365", func(w *Window) *int { return &w.ECNY }},
		{"cash", "365", func(w *Window) *int { return &w.Cash }},
		{"unknown", "365", func(w *Window) *int { return &w.Unknown }},
	}
	for _, w := range windows {
		all = append(all, integer("window."+w.channel, w.days, 1, 3650, "1 to 3650",
			"calendar days after a sale in which a refund is in time", "退货期限（自然日）",
			func(c *Config, _ int) *int { return w.field(&c.Window) }))
	}
	return all
}

func logSettings() []Setting {
	return []Setting{
		span("health.interval", "60s", time.Second, time.Hour, "how often health is reported", "健康上报间隔",
			func(c *Config, _ int) *time.Duration { return &c.Health.Interval }),
		text("log.level", "info", "least level that is written", "日志级别", oneOf("debug", "info", "warn", "error"),
			func(c *Config, _ int) *string { return &c.Log.Level }).withRange("debug, info, warn, error"),
		text("log.format", "text", "text for people, json for machines", "日志格式", oneOf("text", "json"),
			func(c *Config, _ int) *string { return &c.Log.Format }).withRange("text, json"),
		text("log.file", "", `empty: log/yuanlu.log in store.dir; "none": no file; cases are also kept in yuanlu-cases.log beside it, as many files of the same size`, `日志文件；留空为 store.dir 下 log/yuanlu.log，"none" 不写；案件另存于同目录 yuanlu-cases.log，大小和份数相同`,
			logFile, func(c *Config, _ int) *string { return &c.Log.File }).local(whyFile),
		size("log.max_bytes", "2MiB", 64<<10, 1<<30, "size at which a new log file is begun; from the back office at most 64MiB for all files together, or what this file allows", "单个日志文件上限；后台下发时全部文件合计不超过 64MiB 或本机文件所允许",
			func(c *Config, _ int) *int64 { return &c.Log.MaxBytes }),
		integer("log.keep", "3", 0, 100, "0 to 100", "older log files kept", "保留的旧日志文件数",
			func(c *Config, _ int) *int { return &c.Log.Keep }),
		text("metrics.listen", "", "where Prometheus may ask, http://…/metrics, of this machine alone: 127.0.0.1:9100; empty: nowhere", "Prometheus 指标地址（http://…/metrics），仅限本机：127.0.0.1:9100；留空不提供",
			optional(loopbackAddress), func(c *Config, _ int) *string { return &c.Metrics.Listen }).
			withRange("a loopback address and a port from 1 to 65535").local("the payment firmware may need that port"),
		text("control.socket", "", "socket behind the verbs; empty: control.sock in store.dir", "本地控制套接字；留空为 store.dir 下 control.sock",
			optional(absolute), func(c *Config, _ int) *string { return &c.Control.Socket }).local("the technician's verbs look for it where the file says"),
		text("time.zone", "+08:00", "zone of times that a wire gives without one", "无时区时间所用的时区", zone,
			func(c *Config, _ int) *string { return &c.Time.Zone }).withRange("-12:00 to +14:00"),
		text("time.trust", "kernel", "whether the clock is right: what the kernel says (NTP), or always, where a modem, the payment firmware or a hypervisor keeps it",
			"时钟是否可信：kernel 以内核（NTP）为准；always 表示由模块、支付固件或虚拟机保证", oneOf("kernel", TrustAlways),
			func(c *Config, _ int) *string { return &c.Time.Trust }).withRange("kernel, always").local("expiry of commands rests on it"),
	}
}
