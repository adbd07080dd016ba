package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/broker"
	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/metrics"
	"yuanlu/cmd/yuanlu-desk/notify"
	"yuanlu/cmd/yuanlu-desk/oidc"
	"yuanlu/cmd/yuanlu-desk/page"
	"yuanlu/cmd/yuanlu-desk/sign"
	"yuanlu/cmd/yuanlu-desk/store"
)

// Times of the server.
const (
	openTime     = 10 * time.Minute // for opening the store, which an earlier version may have made, and building the case desk
	shutdownTime = 2 * time.Second
	headerTime   = 10 * time.Second
)

// serving is the settings of serve.
type serving struct {
	broker                     broker.Options
	root, host, share          string
	store, listen, tokenFile   string
	tlsCert, tlsKey, proxy     string
	oidc                       oidc.Options
	oidcSecretFile             string
	provider                   *oidc.Provider // nil: none
	signKey, signID, logFormat string
	observe                    bool
	keepDays, terminalMB       int64
	bills                      string // a folder; "": none
	config                     string // a file; "": none
	notify                     notifying
	sealing                    sealing
}

func (p *program) servingFlags(f *flag.FlagSet) *serving {
	s := &serving{}
	p.addServing(f, s)
	return s
}

// addServing adds the flags of serve. Each begins with what s has only if that was never set:
// all are set to their defaults.
func (p *program) addServing(f *flag.FlagSet, s *serving) {
	s.broker.URLName = "--broker"
	text := func(to *string, name, def, en, zh string) { f.StringVar(to, name, def, p.t(en, zh)) }
	text(&s.broker.URL, "broker", "", "tls://host:8883, or tcp://127.0.0.1:1883", "MQTT 服务器")
	text(&s.broker.ClientID, "client-id", "", "empty: yuanlu-desk-{host}", "客户端标识")
	text(&s.broker.Username, "username", "", "user name at the broker", "用户名")
	text(&s.broker.PasswordFile, "password-file", "", "`file` whose first line is the password", "密码文件")
	text(&s.broker.CAFile, "ca-file", "", "certificates (PEM) that the broker's is checked against; empty: the system's", "CA 证书")
	text(&s.broker.CertFile, "cert-file", "", "client certificate (PEM)", "客户端证书")
	text(&s.broker.KeyFile, "key-file", "", "its private key (PEM)", "客户端私钥")
	text(&s.broker.ServerName, "server-name", "", "name in the broker's certificate; empty: the host of --broker", "服务器证书名称")
	f.BoolVar(&s.broker.AllowPlaintext, "allow-plaintext", false, p.t("tcp:// also to other hosts", "允许明文连接其他主机"))
	f.DurationVar(&s.broker.KeepAlive, "keep-alive", 30*time.Second, p.t("the broker must be heard at least so often, 1s to 10m", "心跳间隔"))
	text(&s.root, "root", "yuanlu", "first levels of every topic", "主题根")
	text(&s.host, "host", "desk", "whose presence is said on {root}/v1/_host/{host}/state", "后台名称")
	text(&s.share, "share", "", "`group` of a shared subscription, where several desks run on one PostgreSQL", "共享订阅组")
	text(&s.store, "store", "", "SQLite `file`, or postgres://…; empty: YUANLU_DESK_STORE, else yuanlu-desk.db. A password is better in PGPASSFILE", "SQLite 文件或 postgres://…")
	text(&s.listen, "listen", "127.0.0.1:8417", "address of the HTTP API; - for none", "HTTP 接口地址")
	text(&s.tokenFile, "token-file", "", "`file` whose first line every request must bear; needed beyond the loopback", "令牌文件")
	text(&s.tlsCert, "tls-cert", "", "certificate `file` (PEM) of the HTTP API; people beyond the loopback need it, or --proxy", "HTTP 接口证书")
	text(&s.tlsKey, "tls-key", "", "its private key `file` (PEM)", "HTTP 接口私钥")
	text(&s.proxy, "proxy", "", "`address` of the proxy that ends TLS for people, and names the client in X-Forwarded-For", "终止 TLS 的代理地址")
	text(&s.oidc.Issuer, "oidc-issuer", "", "https://… of a provider of OpenID Connect by which people may log in too; yuanlu-desk people bind, or an admin, says who is who there", "统一登录（OpenID Connect）的签发者 URL")
	text(&s.oidc.Client, "oidc-client", "", "`id` of this desk at that provider, with {address of the desk}/v1/oidc/back as redirect URI", "本案件台在统一登录中的客户端标识")
	text(&s.oidcSecretFile, "oidc-secret-file", "", "`file` whose first line is the client's secret, where it has one", "客户端密钥文件")
	f.BoolVar(&s.observe, "observe", false, p.t("take and store, but acknowledge nothing and say no presence: another desk does", "只接收存储，不确认"))
	f.Int64Var(&s.keepDays, "keep-days", 540, p.t("`days` that cases, events and refused messages are kept; 0: for ever", "保留天数，0 为永久"))
	f.Int64Var(&s.terminalMB, "terminal-mb", 256, p.t("`MiB` of case events that one terminal may take up; more are neither stored nor acknowledged", "每终端案件事件上限"))
	text(&s.bills, "bills", "", "`folder` whose bills are imported as they come; nothing is written there", "账单目录，新文件自动导入")
	text(&s.config, "config", "", "settings `file` (TOML): [[bills.account]] with merchant_id of bills and the merchant of terminals; without any, all bills are of one merchant", "配置文件（TOML）：[[bills.account]] 账单商户号与终端商户号对应")
	text(&s.signKey, "sign-key", "", "key `file`: acknowledgements are signed", "签名密钥文件")
	text(&s.signID, "sign-key-id", "", "`id` of that key; empty: the file's own", "签名密钥标识")
	s.notify.flags(text)
	s.sealing.flags(text)
	text(&s.logFormat, "log", "text", "text or json", "日志格式 text 或 json")
}

// desk is what serve runs.
type desk struct {
	store    *store.Store
	consumer *consumer.Consumer
	api      *api.API
	listener net.Listener // nil: no API
	cert     *tls.Certificate
	log      *slog.Logger
	keep     time.Duration // 0: for ever
	notices  []notify.Options
	now      func() time.Time
	bills    *billFolder // nil: none
	stamping *sealing    // nil: the desk has no log, or no time stamping authority
	packing  *sealing    // nil: the desk makes no evidence packs
}

func (p *program) serve(ctx context.Context, v *verb, args []string) error {
	f := p.flags(v)
	s := p.servingFlags(f)
	if _, err := p.parse(v, f, args, 0); err != nil {
		return err
	}
	d, err := p.equip(ctx, s)
	if err != nil {
		return err
	}
	defer func() {
		if err := d.store.Close(); err != nil {
			d.log.Warn("store.close", "err", err)
		}
	}()
	if err := p.printReady(s, d); err != nil {
		return err
	}
	return d.run(ctx)
}

// equip checks every setting and opens what serve needs.
func (p *program) equip(ctx context.Context, s *serving) (*desk, error) {
	if s.broker.URL == "" {
		return nil, fmt.Errorf("%w: --broker is needed", errUsage)
	}
	d := &desk{log: slog.New(slog.NewTextHandler(p.stderr, nil)), keep: time.Duration(s.keepDays) * 24 * time.Hour, now: p.now}
	switch s.logFormat {
	case "text":
	case "json":
		d.log = slog.New(slog.NewJSONHandler(p.stderr, nil))
	default:
		return nil, fmt.Errorf("%w: --log wants text or json", errUsage)
	}
	p.complete(s)
	if err := s.check(); err != nil {
		return nil, err
	}
	var key sign.Key
	if s.signKey != "" {
		var err error
		if key, err = sign.Read(s.signKey, s.signID); err != nil {
			return nil, err
		}
	}
	token := ""
	if s.tokenFile != "" {
		var err error
		if token, err = secretLine(s.tokenFile); err != nil {
			return nil, err
		}
	}
	if s.tlsCert != "" {
		c, err := tls.LoadX509KeyPair(s.tlsCert, s.tlsKey)
		if err != nil {
			return nil, fmt.Errorf("%w: --tls-cert, --tls-key: %w", errConfig, err)
		}
		d.cert = &c
	}
	if err := s.signOn(p.now); err != nil {
		return nil, err
	}
	if err := s.sealing.read(); err != nil {
		return nil, err
	}
	if err := d.bind(s.listen, token); err != nil {
		return nil, err
	}
	if err := p.assemble(ctx, d, s, key, token); err != nil {
		if d.listener != nil {
			err = errors.Join(err, d.listener.Close())
		}
		return nil, err
	}
	return d, nil
}

// complete fills in what was left out.
func (p *program) complete(s *serving) {
	s.store = p.storePlace(s.store)
	if s.broker.ClientID == "" {
		s.broker.ClientID = "yuanlu-desk-" + s.host
		if s.observe {
			s.broker.ClientID += "-observe"
		}
		if s.share != "" {
			s.broker.ClientID += "-" + strings.ToLower(rand.Text()[:6])
		}
	}
	s.broker.Persistent = s.share == ""
}

// storePlace is where the store is, as all verbs understand it.
func (p *program) storePlace(given string) string {
	if given == "" {
		given = p.env("YUANLU_DESK_STORE")
	}
	if given == "" {
		given = "yuanlu-desk.db"
	}
	return given
}

func (s *serving) check() error {
	switch {
	case s.keepDays < 0 || s.keepDays > 36500:
		return fmt.Errorf("%w: --keep-days wants 0 to 36500", errUsage)
	case s.terminalMB < 1 || s.terminalMB > 1<<20:
		return fmt.Errorf("%w: --terminal-mb wants 1 to %d", errUsage, 1<<20)
	case (s.tlsCert == "") != (s.tlsKey == ""):
		return fmt.Errorf("%w: --tls-cert and --tls-key belong together", errUsage)
	case s.proxy != "" && net.ParseIP(s.proxy) == nil:
		return fmt.Errorf("%w: --proxy wants an IP address", errUsage)
	case (s.oidc.Issuer == "") != (s.oidc.Client == "") || s.oidc.Issuer == "" && s.oidcSecretFile != "":
		return fmt.Errorf("%w: --oidc-issuer and --oidc-client belong together", errUsage)
	case s.share != "" && !store.Shared(s.store):
		return fmt.Errorf("%w: --share needs a store that all its desks share: --store postgres://…; with a file each, each would have a part of every stream", errConfig)
	case s.share != "" && s.observe:
		return fmt.Errorf("%w: --observe and --share exclude each other: those that share acknowledge", errUsage)
	}
	return s.broker.Check()
}

// signOn makes the provider by which people may log in too, if there is one.
func (s *serving) signOn(now func() time.Time) (err error) {
	if s.oidc.Issuer == "" {
		return nil
	}
	s.oidc.Now = now
	if s.oidcSecretFile != "" {
		if s.oidc.Secret, err = secretLine(s.oidcSecretFile); err != nil {
			return err
		}
	}
	if s.provider, err = oidc.New(s.oidc); err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	return nil
}

// bind listens; beyond the loopback only with a token.
func (d *desk) bind(address, token string) (err error) {
	if address == "-" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%w: --listen: %w", errUsage, err)
	}
	if !loopback(host) && token == "" {
		return fmt.Errorf("%w: --listen %s is open to others; it needs --token-file", errUsage, address)
	}
	if d.listener, err = net.Listen("tcp", address); err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	if d.cert != nil {
		d.listener = tls.NewListener(d.listener, &tls.Config{Certificates: []tls.Certificate{*d.cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	}
	return nil
}

// loopback reports whether a host is this machine alone.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (p *program) assemble(ctx context.Context, d *desk, s *serving, key sign.Key, token string) (err error) {
	o := consumer.Options{Root: s.root, Host: s.host, Group: s.share, Observe: s.observe, KeyID: key.ID, Key: key.Private, Now: p.now, Log: d.log,
		Dial: func(ctx context.Context, topic string, will []byte) (consumer.Broker, error) {
			b := s.broker
			b.WillTopic, b.WillPayload = topic, will
			b.Lane, b.Lossless = consumer.Lane(s.root), s.observe
			c, err := broker.Dial(ctx, b)
			if err != nil {
				return nil, err
			}
			return c, nil
		}}
	if _, err := consumer.New(o); err != nil { // before a store is made
		return err
	}
	accounts, err := readAccounts(s.config)
	if err != nil {
		return err
	}
	open, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if d.store, err = store.Open(open, s.store); err != nil {
		return err
	}
	d.store.SetAccounts(accounts)
	if s.bills != "" {
		d.bills = newBillFolder(s.bills, d.store, p.now, d.log)
	}
	if _, err = d.store.Journals(open); err != nil { // what takes long is not left to the first who asks
		return errors.Join(err, d.store.Close())
	}
	if d.notices, err = s.notify.channels(ctx, d); err != nil {
		return errors.Join(err, d.store.Close())
	}
	limits := store.DefaultLimits()
	limits.CaseBytes = s.terminalMB << 20
	d.store.SetLimits(limits)
	o.Store, o.Hand, o.StoreID = d.store, d.store, d.store.ID()
	o.Days = consumer.NewDayAsker(d.store, d.now)
	if err := d.cosign(open, s, &o); err != nil {
		return errors.Join(err, d.store.Close())
	}
	if d.consumer, err = consumer.New(o); err != nil {
		return errors.Join(err, d.store.Close())
	}
	ready := func() bool { st := d.consumer.Status(); return st.Connected && st.StoreError == "" }
	decode, err := consumer.NewDecoder(s.root)
	if err != nil {
		return errors.Join(err, d.store.Close())
	}
	release := func(ctx context.Context, n int64, h store.Hand) error {
		return consumer.Release(ctx, d.store, decode, n, h)
	}
	pages, err := page.New(page.Options{Store: d.store, Provider: s.oidc.Issuer, Now: p.now, Log: d.log})
	if err != nil {
		return errors.Join(err, d.store.Close())
	}
	d.api = api.New(api.Options{Store: d.store, Release: release, Export: d.exports(), Status: func() any { return d.consumer.Status() }, Ready: ready,
		Metrics: metrics.Handler(metrics.Options{Status: d.consumer.Status, Totals: d.store.Totals,
			Proofs:  d.store.LogState,
			Fleet:   func(ctx context.Context) (store.Fleet, error) { return d.store.Fleet(ctx, p.now()) },
			Version: version, Log: d.log}),
		Token: token, Page: pages, Proxy: s.proxy, OIDC: s.provider, Now: p.now, Log: d.log})
	return nil
}

// printReady prints on standard output where the API is.
func (p *program) printReady(s *serving, d *desk) error {
	where := ""
	if d.listener != nil {
		scheme := "http://"
		if d.cert != nil {
			scheme = "https://"
		}
		where = scheme + d.listener.Addr().String()
	}
	if p.json {
		return p.printJSON(map[string]any{"ready": true, "api": where, "store": d.store.Kind(), "broker": s.broker.URL, "host": s.host, "pid": os.Getpid()})
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s  %s %s  %s %s\n", p.t("API", "接口"), where, p.t("store", "存储"), d.store.Kind(), p.t("broker", "服务器"), s.broker.URL)
	return err
}

// run works until ctx ends, then stops: streams, questions, the consumer with the
// batch it has in hand.
func (d *desk) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	failed := make(chan error, 1)
	if d.listener != nil {
		server := &http.Server{Handler: d.api, ReadHeaderTimeout: headerTime, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
			ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug)}
		wg.Go(func() {
			if err := server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
				cancel()
			}
		})
		wg.Go(func() {
			<-ctx.Done()
			d.api.Stop()
			bye, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
			defer done()
			if server.Shutdown(bye) != nil {
				_ = server.Close() // a client that does not go away is cut off
			}
		})
	}
	wg.Go(func() { d.retain(ctx) })
	wg.Go(func() { d.tick(ctx) })
	wg.Go(func() { d.stamp(ctx) })
	wg.Go(func() { d.matchDays(ctx) })
	if d.bills != nil {
		wg.Go(func() { d.bills.run(ctx, d.now) })
	}
	for _, o := range d.notices {
		wg.Go(func() { notify.Run(ctx, o) })
	}
	d.log.Info("desk.ready", "store", d.store.Kind(), "version", version)
	d.notify(daemon.SdNotifyReady)
	d.consumer.Run(ctx)
	d.notify(daemon.SdNotifyStopping)
	wg.Wait()
	d.log.Info("desk.stopped")
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (d *desk) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		d.log.Warn("systemd.notify", "err", err)
	}
}
