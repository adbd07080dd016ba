package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"yuanlu/cmd/yuanlu-desk/broker"
	"yuanlu/cmd/yuanlu-desk/checkup"
	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/printable"
	"yuanlu/protocol/topics"
)

// settingsFile is where the Debian package keeps the settings of the unit.
const settingsFile = "/etc/default/yuanlu-desk"

// Times of the doctor.
const (
	doctorTime = 5 * time.Minute // for all of it: every file is read
	brokerTime = 10 * time.Second
)

// doctor looks at everything that serve depends on, and changes nothing.
func (p *program) doctor(ctx context.Context, v *verb, args []string) error {
	f := p.flags(v)
	s := p.servingFlags(f)
	from := f.String("settings", "", p.t("`file` with YUANLU_DESK_STORE and YUANLU_DESK_ARGS; empty without other flags: "+settingsFile, "设置文件"))
	if _, err := p.parse(v, f, args, 0); err != nil {
		return err
	}
	facts := &checkup.Facts{Now: p.now()}
	if *from == "" && s.broker.URL == "" && s.store == "" {
		if _, err := os.Stat(settingsFile); err == nil {
			*from = settingsFile
		}
	}
	if *from != "" {
		facts.Settings.From = *from
		facts.Settings.Err = p.readSettings(*from, s)
	}
	p.complete(s)
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	p.lookAtSettings(s, &facts.Settings)
	facts.Store.Log.Stamps = s.sealing.tsa != ""
	p.lookAtStore(ctx, s.store, facts)
	facts.Clock.Synced = clockSynced()
	p.lookAtBroker(ctx, s, &facts.Broker)
	list := checkup.Examine(facts, p.lang == "zh")
	if err := p.showFindings(list); err != nil {
		return err
	}
	switch checkup.Worst(list) {
	case checkup.Warning:
		return errWarnings
	case checkup.Error:
		return errErrors
	}
	return nil
}

// showFindings prints a line for each; its remedy below it, to be copied.
func (p *program) showFindings(list []checkup.Finding) error {
	for _, one := range list {
		if p.json {
			if err := p.printJSON(one); err != nil {
				return err
			}
			continue
		}
		sign := map[string]string{checkup.Fine: "✓", checkup.Warning: "‼", checkup.Error: "×"}[one.Level]
		text := fmt.Sprintf("%s %s: %s\n", sign, one.Name, printable.Text(one.Text))
		if one.Remedy != "" {
			text += "    " + printable.Text(one.Remedy) + "\n"
		}
		if _, err := fmt.Fprint(p.stdout, text); err != nil {
			return err
		}
	}
	return nil
}

// readSettings reads the file of the unit as systemd does: NAME=value, quoted or not, and the
// words of YUANLU_DESK_ARGS.
func (p *program) readSettings(path string, s *serving) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		switch name {
		case "YUANLU_DESK_STORE":
			if s.store == "" {
				s.store = value
			}
		case "YUANLU_DESK_ARGS":
			place := s.store
			given := flag.NewFlagSet("serve", flag.ContinueOnError)
			given.SetOutput(io.Discard)
			p.addServing(given, s)
			s.store = place
			if err := given.Parse(strings.Fields(value)); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
}

// lookAtSettings finds what is weak in the settings.
func (p *program) lookAtSettings(s *serving, f *checkup.Settings) {
	host, _, err := net.SplitHostPort(s.listen)
	f.Listen, f.Loopback, f.TLS, f.Proxy = s.listen, err == nil && loopback(host), s.tlsCert != "", s.proxy
	f.KeepDays, f.Plaintext = s.keepDays, s.broker.AllowPlaintext && strings.HasPrefix(s.broker.URL, "tcp://")
	if s.broker.URL == "" && f.Err == nil {
		f.Err = fmt.Errorf("%w: --broker is needed", errUsage)
	} else if f.Err == nil {
		f.Err = s.check()
	}
	for _, one := range [][2]string{{"--password-file", s.broker.PasswordFile}, {"--key-file", s.broker.KeyFile}, {"--token-file", s.tokenFile}, {"--tls-key", s.tlsKey}, {"--sign-key", s.signKey}, {"--cosign-key", s.sealing.cosignKey}, {"--seal-key", s.sealing.key},
		{"--webhook-secret", s.notify.secretFile}, {"--mail-password-file", s.notify.mailPassword}} {
		if one[1] == "" {
			continue
		}
		file := checkup.File{Flag: one[0], Path: one[1]}
		if info, err := os.Stat(file.Path); err != nil {
			file.Err = err
		} else if file.Mode = info.Mode(); unix.Access(file.Path, unix.R_OK) != nil {
			file.Err = fs.ErrPermission
		}
		f.Files = append(f.Files, file)
	}
	if token, err := secretLine(s.tokenFile); err == nil {
		f.TokenSize = utf8.RuneCountInString(token)
	}
	if f.Token, f.TokenFile = s.tokenFile != "", s.tokenFile; f.Token && f.TokenSize == 0 {
		f.TokenSize = 64 // it could not be read, which has a line of its own
	}
	if s.tlsCert != "" {
		f.CertFile = s.tlsCert
		if ends, err := mqtt.CertificateExpiry(s.tlsCert); err == nil {
			f.CertEnds = ends
		} else {
			f.Files = append(f.Files, checkup.File{Flag: "--tls-cert", Path: s.tlsCert, Err: err})
		}
	}
}

// lookAtStore opens the store as it is and looks at all of it.
func (p *program) lookAtStore(ctx context.Context, place string, f *checkup.Facts) {
	s := &f.Store
	s.Place, s.Want = store.Named(place), store.Version()
	f.People.At = s.Place
	if err := store.Exists(place); err != nil {
		s.Missing, s.Err = errors.Is(err, fs.ErrNotExist), err
		return
	}
	if !store.Shared(place) {
		if info, err := os.Stat(place); err == nil {
			s.Exposed = info.Mode().Perm()&0o077 != 0
		}
		var disk unix.Statfs_t
		if unix.Statfs(filepath.Dir(place), &disk) == nil {
			s.Free, s.Room = int64(disk.Bavail)*int64(disk.Bsize), int64(disk.Blocks)*int64(disk.Bsize)
		}
	}
	db, have, err := store.OpenAsItIs(ctx, place)
	if err != nil {
		s.Err = err
		return
	}
	defer func() { _ = db.Close() }() // it was only read
	s.Kind, s.Version, s.Missing = db.Kind(), have, have == 0
	s.SoundErr = db.Sound(ctx)
	if s.Bytes, err = db.Bytes(ctx); err != nil && s.SoundErr == nil {
		s.SoundErr = err
	}
	if have == s.Want {
		p.lookInside(ctx, db, f)
	}
}

// lookInside looks at what is stored.
func (p *program) lookInside(ctx context.Context, db *store.Store, f *checkup.Facts) {
	s := &f.Store
	s.Examined = true
	j, err := db.Journals(ctx)
	s.JournalErr, s.Cases, s.Due, f.Clock.Newest = err, j.Cases, j.Due, j.Newest
	right, amiss, err := db.Files(ctx)
	s.FilesErr, s.FilesRight = err, right
	for _, one := range amiss {
		s.Amiss = append(s.Amiss, one.Case)
	}
	s.Amiss = slices.Compact(s.Amiss)
	totals, err := db.Totals(ctx)
	if err != nil && s.SoundErr == nil {
		s.SoundErr = err
	}
	f.Broker.Known = totals.Terminals
	s.Gaps, s.Quarantined = totals.Incomplete, totals.Quarantined
	if s.OldestGap, err = db.OldestGap(ctx); err != nil && s.SoundErr == nil {
		s.SoundErr = err
	}
	if s.Unsent, s.UnsentSince, s.UnsentReason, err = db.Unsent(ctx); err != nil && s.SoundErr == nil {
		s.SoundErr = err
	}
	log, err := db.LogState(ctx)
	if err != nil && s.SoundErr == nil {
		s.SoundErr = err
	}
	s.Log.Origin, s.Log.Size, s.Log.StampedSize, s.Log.Alarms = log.Origin, log.Size, log.StampedSize, log.Alarms
	if log.StampedAt != nil {
		s.Log.Stamped = *log.StampedAt
	}
	if s.JournalErr != nil {
		return
	}
	list, err := db.People(ctx)
	changes, err2 := db.MustChange(ctx)
	f.People.Known, f.People.List, f.People.MustChange = err == nil && err2 == nil, list, changes
}

// clockSynced asks the kernel whether something sets its clock.
func clockSynced() bool {
	var t unix.Timex
	_, err := unix.Adjtimex(&t)
	return err == nil && t.Status&unix.STA_UNSYNC == 0
}

// lookAtBroker connects beside the desk, under another name, and asks for each topic that the
// desk reads. It takes nothing: the session is new and ends with it.
func (p *program) lookAtBroker(ctx context.Context, s *serving, b *checkup.Broker) {
	o := s.broker
	b.URL, b.User, b.Host, b.Observes, b.Topics = o.URL, o.Username, s.host, s.observe, s.root+"/v1/+/up/#"
	if o.URL == "" {
		return
	}
	if ends, err := mqtt.CertificateExpiry(o.CertFile); o.CertFile != "" && err == nil {
		b.CertFile, b.CertEnds = o.CertFile, ends
	}
	o.ClientID += "-doctor"
	o.Persistent = false
	ctx, cancel := context.WithTimeout(ctx, brokerTime)
	defer cancel()
	begin := time.Now()
	conn, err := broker.Dial(ctx, o)
	if err != nil {
		b.Err = err
		b.HelpEN, b.HelpZH = consumer.Remedy(err)
		return
	}
	defer conn.Close()
	b.Took = time.Since(begin)
	watch := consumer.Options{Root: s.root, Host: s.host, Observe: s.observe}
	for _, filter := range watch.Filters() {
		if err := conn.Subscribe(ctx, filter, 0); errors.Is(err, mqtt.ErrRefused) {
			b.Refused = append(b.Refused, filter)
		} else if err != nil {
			b.Err = fmt.Errorf("subscribe %s: %w", filter, err)
			b.HelpEN, b.HelpZH = consumer.Remedy(err)
			return
		}
	}
	retained(ctx, conn, topics.Names{Root: s.root}.HostState(s.host), b)
}

// retainedTime is how long what is retained may take to come.
const retainedTime = 2 * time.Second

// retained takes what the broker keeps: of the terminals, and the presence of the desk.
func retained(ctx context.Context, conn *broker.Conn, host string, b *checkup.Broker) {
	ctx, cancel := context.WithTimeout(ctx, retainedTime)
	defer cancel()
	for known := false; !known || b.Came == 0; {
		list, err := conn.Next(ctx, 100)
		if err != nil {
			return
		}
		for _, m := range list {
			m.Ack()
			var state topics.HostState
			if m.Topic != host {
				b.Came++
			} else if json.Unmarshal(m.Payload, &state) == nil {
				known, b.Online = true, state.Online
			}
		}
	}
}
