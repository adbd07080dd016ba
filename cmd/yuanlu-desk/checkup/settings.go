package checkup

import (
	"errors"
	"io/fs"
	"time"
)

// Settings are those of serve, as far as they can be weak.
type Settings struct {
	From      string // the file that they were read from; "": the command line
	Err       error  // why they cannot be used; the rest is looked at all the same
	Listen    string // "-": none
	Loopback  bool   // Listen is on it
	TLS       bool   // with a certificate of our own
	Proxy     string
	CertFile  string
	CertEnds  time.Time
	Token     bool // one is asked for
	TokenSize int  // characters
	TokenFile string
	Plaintext bool // to a broker elsewhere
	KeepDays  int64
	Files     []File
}

// File is one that the settings name.
type File struct {
	Flag string
	Path string
	Mode fs.FileMode
	Err  error
}

// Bounds of settings that are weak.
const (
	shortToken = 20
	shortKeep  = 90 // days
	others     = 0o007
)

func (m *maker) settings(s *Settings) {
	before := len(m.list)
	name := [2]string{"settings", "设置"}
	if s.Err != nil {
		m.add(Error, name, [2]string{"%v", "%v"}, same("sudo editor /etc/default/yuanlu-desk; yuanlu-desk serve --help"), s.Err)
	}
	m.files(s)
	m.served(s)
	m.certificate([2]string{"certificate", "证书"}, s.CertFile, s.CertEnds)
	if s.Token && s.TokenSize < shortToken {
		m.add(Warning, name, [2]string{"the token of --token-file has %d characters only and can be guessed", "令牌仅 %d 个字符，易被猜中"},
			same("openssl rand -hex 32 | sudo tee %s >/dev/null; sudo systemctl restart yuanlu-desk", s.TokenFile), s.TokenSize)
	}
	if s.Plaintext {
		m.add(Warning, name, [2]string{"what terminals report comes in the clear: the broker is on another machine and has no TLS", "终端上报为明文：服务器在另一台机器且未用 TLS"},
			[2]string{"use tls:// in --broker, with --ca-file, and take out --allow-plaintext", "将 --broker 改为 tls://，配置 --ca-file，去掉 --allow-plaintext"})
	}
	switch {
	case s.KeepDays == 0:
		m.add(Warning, name, [2]string{"--keep-days 0 keeps closed cases and their files for ever", "--keep-days 0 会永久保留已关闭案件及其文件"}, [2]string{"set --keep-days to what the law asks for; 540 is the default", "按法规设置 --keep-days，默认 540"})
	case s.KeepDays > 0 && s.KeepDays < shortKeep:
		m.add(Warning, name, [2]string{"--keep-days %d removes closed cases before a platform's last day for complaints", "--keep-days %d 过短，投诉期内案件可能已被删除"}, same("--keep-days 540"), s.KeepDays)
	}
	m.well(before, name, [2]string{"nothing is weak", "未见薄弱项"})
}

func (m *maker) files(s *Settings) {
	name := [2]string{"settings", "设置"}
	for _, f := range s.Files {
		switch {
		case errors.Is(f.Err, fs.ErrPermission):
			m.add(Warning, name, [2]string{"%s: this user may not read %s", "%s：当前用户无权读取 %s"}, same("sudo yuanlu-desk doctor"), f.Flag, f.Path)
		case f.Err != nil:
			m.add(Error, name, [2]string{"%s: %v", "%s：%v"}, same("sudo install -m 0640 -g yuanlu-desk /dev/stdin %s", f.Path), f.Flag, f.Err)
		case f.Mode.Perm()&others != 0:
			m.add(Warning, name, [2]string{"%s: everybody on this machine may read %s (%v)", "%s：本机任何用户均可读取 %s（%v）"}, same("sudo chmod o= %s", f.Path), f.Flag, f.Path, f.Mode.Perm())
		}
	}
}

// served is the rule of casework.md § 13, Session: without TLS only the loopback is served.
func (m *maker) served(s *Settings) {
	name := [2]string{"page", "页面"}
	switch {
	case s.Listen == "", s.Listen == "-":
		m.add(Warning, name, [2]string{"--listen - : nobody can work at this desk, it only stores", "--listen - ：无人可在此后台工作，仅存储"}, same("--listen 127.0.0.1:8417"))
	case s.Loopback && s.Proxy == "":
		m.fine(name, [2]string{"%s, for this machine alone", "%s，仅限本机"}, s.Listen)
	case s.TLS:
		m.fine(name, [2]string{"%s, with TLS", "%s，使用 TLS"}, s.Listen)
	case s.Proxy == "":
		m.add(Error, name, [2]string{"%s has no TLS: people on other machines are not let in", "%s 未启用 TLS：其他机器上的人员无法登录"},
			same("--tls-cert /etc/yuanlu-desk/tls.pem --tls-key /etc/yuanlu-desk/tls.key"), s.Listen)
	case !s.Loopback:
		m.add(Warning, name, [2]string{"what the proxy %[2]s sends to %[1]s is in the clear", "代理 %[2]s 到 %[1]s 之间为明文"},
			[2]string{"--listen 127.0.0.1:8417 where the proxy is on this machine, else --tls-cert and --tls-key", "代理在本机时用 --listen 127.0.0.1:8417，否则配置 --tls-cert 与 --tls-key"}, s.Listen, s.Proxy)
	default:
		m.fine(name, [2]string{"%s, behind the proxy %s", "%s，经代理 %s"}, s.Listen, s.Proxy)
	}
	if s.Listen != "" && s.Listen != "-" && !s.Loopback && !s.Token {
		m.add(Error, name, [2]string{"%s is open to others and has no --token-file: the desk does not start", "%s 对外开放但未配置 --token-file：后台无法启动"},
			same("openssl rand -hex 32 | sudo install -m 0640 -g yuanlu-desk /dev/stdin /etc/yuanlu-desk/token"), s.Listen)
	}
}
