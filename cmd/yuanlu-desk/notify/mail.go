package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"
)

// Mail sends notices by SMTP with STARTTLS; without it only on this machine.
type Mail struct {
	server, host string
	from         *mail.Address
	to           []*mail.Address
	user         string
	password     func() (string, error) // asked at each connection; nil: none is needed
	roots        *x509.CertPool         // nil: the system's
	now          func() time.Time
}

// MailOptions are the settings of Mail.
type MailOptions struct {
	Server   string // host:port
	From, To string // To: several with commas
	User     string
	Password func() (string, error)
	Roots    *x509.CertPool
	Now      func() time.Time
}

// NewMail returns one. ErrOptions.
func NewMail(o MailOptions) (*Mail, error) {
	m := &Mail{server: o.Server, user: o.User, password: o.Password, roots: o.Roots, now: o.Now}
	var err error
	if m.host, _, err = net.SplitHostPort(o.Server); err != nil {
		return nil, fmt.Errorf("%w: --mail-server wants host:port", ErrOptions)
	}
	if m.from, err = mail.ParseAddress(o.From); err != nil {
		return nil, fmt.Errorf("%w: --mail-from is no address", ErrOptions)
	}
	if m.to, err = mail.ParseAddressList(o.To); err != nil {
		return nil, fmt.Errorf("%w: --mail-to is no list of addresses", ErrOptions)
	}
	if (o.User == "") != (o.Password == nil) {
		return nil, fmt.Errorf("%w: --mail-user and --mail-password-file belong together", ErrOptions)
	}
	return m, nil
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// errPlain is a server on another machine that offers no TLS.
var errPlain = errors.New("the mail server offers no STARTTLS")

// Send sends a notice to all; it is delivered once the server has taken it.
func (m *Mail) Send(ctx context.Context, n *Message) (err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.server)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // what waits on it then ends
	defer stop()
	c, err := smtp.NewClient(conn, m.host)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	defer func() { _ = c.Close() }() // after QUIT it is closed already
	if err := m.greet(c); err != nil {
		return err
	}
	if err := c.Mail(m.from.Address); err != nil {
		return err
	}
	for _, to := range m.to {
		if err := c.Rcpt(to.Address); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	text, err := m.compose(n)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // the server has taken it: an error here changes nothing
	return nil
}

func (m *Mail) greet(c *smtp.Client) error {
	switch ok, _ := c.Extension("STARTTLS"); {
	case ok:
		if err := c.StartTLS(&tls.Config{ServerName: m.host, RootCAs: m.roots, MinVersion: tls.VersionTLS12}); err != nil {
			return err
		}
	case !local(m.host):
		return errPlain
	}
	if m.user == "" {
		return nil
	}
	password, err := m.password()
	if err != nil {
		return err
	}
	return c.Auth(smtp.PlainAuth("", m.user, password, m.host))
}

// compose is the notice as a mail: the same Message-ID at each try, so that a reader sees it
// once.
func (m *Mail) compose(n *Message) ([]byte, error) {
	var to []string
	for _, one := range m.to {
		to = append(to, one.String())
	}
	_, domain, _ := strings.Cut(m.from.Address, "@")
	var b bytes.Buffer
	for _, h := range [][2]string{{"From", m.from.String()}, {"To", strings.Join(to, ", ")}, {"Subject", mime.QEncoding.Encode("utf-8", subject(n))},
		{"Date", m.now().Format(time.RFC1123Z)}, {"Message-ID", "<" + strings.ReplaceAll(n.ID, "/", ".") + "@" + domain + ">"}, {"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"}} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, err := fmt.Fprintf(w, "%s\r\n%s\r\n\r\n%s\r\n", n.Text.EN, n.Text.ZH, n.Link)
	return b.Bytes(), errors.Join(err, w.Close())
}

func subject(n *Message) string {
	if n.What == "overdue" {
		return n.Case + " overdue 已逾期: " + n.Step
	}
	return n.Case + " to approve 待审批"
}
