package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"

	"yuanlu/cmd/yuanlu-desk/notify"
)

// notifying is the settings of what people are notified by; none is needed.
type notifying struct {
	webhook, secretFile, link      string
	server, from, to               string
	mailUser, mailPassword, mailCA string
}

func (n *notifying) flags(text func(to *string, name, def, en, zh string)) {
	text(&n.webhook, "webhook", "", "`URL` that overdue steps and waiting approvals are posted to", "逾期与待审批通知的 Webhook 地址")
	text(&n.secretFile, "webhook-secret", "", "`file` whose first line signs what is posted (HMAC-SHA256)", "Webhook 签名密钥文件")
	text(&n.server, "mail-server", "", "`host:port` of the SMTP server that they are mailed by; STARTTLS is needed beyond the loopback", "邮件服务器")
	text(&n.from, "mail-from", "", "`address` that they come from", "发件人")
	text(&n.to, "mail-to", "", "`addresses` that they go to, with commas", "收件人，逗号分隔")
	text(&n.mailUser, "mail-user", "", "user name at the mail server", "邮件用户名")
	text(&n.mailPassword, "mail-password-file", "", "`file` whose first line is the password", "邮件密码文件")
	text(&n.mailCA, "mail-ca-file", "", "certificates (PEM) that the mail server's is checked against; empty: the system's", "邮件服务器 CA 证书")
	text(&n.link, "link", "", "`URL` of the desk's page as people reach it, for links in what is sent", "通知中链接所用的页面地址")
}

// channels opens those that are set.
func (n *notifying) channels(ctx context.Context, d *desk) (list []notify.Options, err error) {
	add := func(name string, sender notify.Sender) error {
		queue, err := d.store.Channel(ctx, name)
		list = append(list, notify.Options{Name: name, Queue: queue, Sender: sender, Link: n.link, Now: d.now, Log: d.log})
		return err
	}
	if n.webhook != "" {
		secret, err := secretLine(n.secretFile)
		if err != nil {
			return nil, fmt.Errorf("%w: --webhook-secret: %w", errConfig, err)
		}
		hook, err := notify.NewWebhook(n.webhook, secret, d.now)
		if err != nil {
			return nil, err
		}
		if err := add("webhook", hook); err != nil {
			return nil, err
		}
	}
	if n.server == "" {
		return list, nil
	}
	o := notify.MailOptions{Server: n.server, From: n.from, To: n.to, User: n.mailUser, Now: d.now}
	if n.mailPassword != "" {
		o.Password = func() (string, error) { return secretLine(n.mailPassword) }
	}
	if n.mailCA != "" {
		pem, err := os.ReadFile(n.mailCA)
		if err != nil {
			return nil, fmt.Errorf("%w: --mail-ca-file: %w", errConfig, err)
		}
		if o.Roots = x509.NewCertPool(); !o.Roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: --mail-ca-file: no certificates in it", errConfig)
		}
	}
	mail, err := notify.NewMail(o)
	if err != nil {
		return nil, err
	}
	return list, add("mail", mail)
}
