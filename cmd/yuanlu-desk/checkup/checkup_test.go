package checkup

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
)

var now = time.Date(2026, 8, 24, 12, 0, 0, 0, time.UTC)

// healthy is a desk of which nothing is wrong.
func healthy() *Facts {
	one := func(id string, roles ...string) casework.Person {
		return casework.Person{ID: id, Roles: roles, Stores: []string{"*"}, Active: true}
	}
	return &Facts{Now: now, Clock: Clock{Synced: true, Newest: now.Add(-time.Hour)},
		Settings: Settings{Listen: "127.0.0.1:8417", Loopback: true, KeepDays: 540, Files: []File{{"--key-file", "/k", 0o640, nil}}},
		Store:    Store{Place: "/d.db", Kind: "sqlite", Version: 3, Want: 3, Bytes: 5 << 20, Free: 9 << 30, Room: 20 << 30, Cases: 4, Due: now.Add(time.Hour), Examined: true},
		People:   People{Known: true, List: []casework.Person{one("a", "admin"), one("b", "supervisor"), one("c", "manager")}, At: "/d.db"},
		Broker:   Broker{URL: "tls://b:8883", Host: "desk", Online: true}}
}

// Each thing that can be wrong has one line of its own, with a remedy, in both languages; and
// without it there is none.
func TestFindings(t *testing.T) {
	for _, l := range Examine(healthy(), false) {
		if l.Level != Fine || l.Remedy != "" {
			t.Errorf("a healthy desk: %+v", l)
		}
	}
	for _, one := range []struct {
		name, level, has, remedy string
		change                   func(*Facts)
	}{
		{"no store", Error, "no store yet", "systemctl enable", func(f *Facts) { f.Store.Missing = true }},
		{"store closed", Error, "refused", "--store", func(f *Facts) { f.Store.Err = errors.New("refused") }},
		{"older schema", Warning, "version 2", "yuanlu-desk backup", func(f *Facts) { f.Store.Version = 2 }},
		{"damaged", Error, "page 7", "yuanlu-desk restore", func(f *Facts) { f.Store.SoundErr = errors.New("page 7") }},
		{"store open to others", Warning, "may read the store", "chmod 0600 /d.db", func(f *Facts) { f.Store.Exposed = true }},
		{"disk low", Warning, "512 MiB are free", "df -h", func(f *Facts) { f.Store.Free = 512 << 20 }},
		{"no room for a backup", Warning, "a backup needs", "df -h", func(f *Facts) { f.Store.Bytes = 10 << 30 }},
		{"disk out", Error, "9 MiB are free", "journalctl --vacuum", func(f *Facts) { f.Store.Free = 9 << 20 }},
		{"journal", Error, "event 3", "restore --check", func(f *Facts) { f.Store.JournalErr = errors.New("case C, event 3") }},
		{"due", Error, "has not happened", "systemctl status", func(f *Facts) { f.Store.Due = now.Add(-time.Hour) }},
		{"file", Error, "case C-2026-000007", "yuanlu-desk restore", func(f *Facts) { f.Store.Amiss = []string{"C-2026-000007"} }},
		{"gaps", Warning, "2 streams", "gaps list", func(f *Facts) { f.Store.Gaps, f.Store.OldestGap = 2, now.Add(-2*time.Hour) }},
		{"quarantine", Warning, "3 messages", "quarantine list", func(f *Facts) { f.Store.Quarantined = 3 }},
		{"alarms of logs", Error, "2 alarms", "evidence alarms --store /d.db", func(f *Facts) { f.Store.Log.Alarms = 2 }},
		{"never stamped", Warning, "stamped last: never", "evidence.stamp", func(f *Facts) { f.Store.Log = Log{Origin: "o", Size: 5, Stamps: true} }},
		{"stamped long ago", Warning, "stamped last: 2026-08-22T12:00:00Z", "evidence.stamp", func(f *Facts) {
			f.Store.Log = Log{Origin: "o", Size: 5, StampedSize: 4, Stamps: true, Stamped: now.Add(-48 * time.Hour)}
		}},
		{"clock not set", Warning, "nothing sets", "timedatectl", func(f *Facts) { f.Clock.Synced = false }},
		{"clock went back", Error, "ahead of this clock", "timedatectl", func(f *Facts) { f.Clock.Newest = now.Add(time.Hour) }},
		{"no people", Warning, "nobody works here", "people add", func(f *Facts) { f.People.List = nil }},
		{"no admin", Warning, "nobody is admin", "--role admin", func(f *Facts) { f.People.List[0].Active = false }},
		{"one alone", Error, "nobody may approve", "--role checker", func(f *Facts) { f.People.List = append(f.People.List[:2:2], casework.Person{}) }},
		{"nobody works", Error, "nobody may work", "--role manager", func(f *Facts) {
			f.People.List = []casework.Person{{ID: "a", Roles: []string{"admin"}, Active: true, Stores: []string{"*"}}}
		}},
		{"no supervisor", Warning, "no supervisor", "--role supervisor", func(f *Facts) { f.People.List[1].Roles = []string{"checker"} }},
		{"no store for all", Warning, "belong to no store", "--shop '*'", func(f *Facts) {
			for i := range f.People.List {
				f.People.List[i].Stores = []string{"s1"}
			}
		}},
		{"first password", Warning, "first password", "people password c", func(f *Facts) { f.People.MustChange = []string{"c"} }},
		{"broker away", Error, "no route", "the network", func(f *Facts) {
			f.Broker.Err, f.Broker.HelpEN, f.Broker.HelpZH = errors.New("no route"), "check the network", "检查网络"
		}},
		{"access list", Error, "yuanlu/v1/+/up/case", "topic read yuanlu/v1/+/up/case", func(f *Facts) { f.Broker.Refused = []string{"yuanlu/v1/+/up/case"} }},
		{"messages are withheld", Error, "7 terminals are known", "topic read yuanlu/v1/+/up/#", func(f *Facts) { f.Broker.Known, f.Broker.Topics = 7, "yuanlu/v1/+/up/#" }},
		{"not online", Error, "no desk is online", "systemctl enable", func(f *Facts) { f.Broker.Online = false }},
		{"observes", Warning, "only observes", "--observe", func(f *Facts) { f.Broker.Observes = true }},
		{"client certificate", Error, "ended on 2026-08-23", "openssl x509", func(f *Facts) { f.Broker.CertFile, f.Broker.CertEnds = "/c.pem", now.Add(-24*time.Hour) }},
		{"certificate", Warning, "ends on 2026-09-03", "openssl x509", func(f *Facts) { f.Settings.CertFile, f.Settings.CertEnds = "/c.pem", now.Add(240*time.Hour) }},
		{"settings", Error, "bad flag", "/etc/default", func(f *Facts) { f.Settings.Err = errors.New("bad flag") }},
		{"plaintext", Warning, "in the clear", "tls://", func(f *Facts) { f.Settings.Plaintext = true }},
		{"token", Warning, "4 characters", "openssl rand", func(f *Facts) { f.Settings.Token, f.Settings.TokenSize, f.Settings.TokenFile = true, 4, "/t" }},
		{"kept for ever", Warning, "for ever", "--keep-days", func(f *Facts) { f.Settings.KeepDays = 0 }},
		{"kept too short", Warning, "--keep-days 3 ", "--keep-days 540", func(f *Facts) { f.Settings.KeepDays = 3 }},
		{"open file", Warning, "everybody", "chmod o= /k", func(f *Facts) { f.Settings.Files[0].Mode = 0o644 }},
		{"missing file", Error, "--key-file", "install -m 0640", func(f *Facts) { f.Settings.Files[0].Err = fs.ErrNotExist }},
		{"closed file", Warning, "may not read", "sudo yuanlu-desk doctor", func(f *Facts) { f.Settings.Files[0].Err = fs.ErrPermission }},
		{"no TLS", Error, "has no TLS", "--tls-cert", func(f *Facts) {
			f.Settings.Listen, f.Settings.Loopback, f.Settings.Token, f.Settings.TokenSize = "0.0.0.0:1", false, true, 64
		}},
		{"no token", Error, "does not start", "openssl rand", func(f *Facts) { f.Settings.Listen, f.Settings.Loopback, f.Settings.TLS = "0.0.0.0:1", false, true }},
		{"proxy in the clear", Warning, "proxy 10.0.0.1", "--listen 127.0.0.1", func(f *Facts) {
			f.Settings.Listen, f.Settings.Loopback, f.Settings.Proxy, f.Settings.Token, f.Settings.TokenSize = "0.0.0.0:1", false, "10.0.0.1", true, 64
		}},
		{"no page", Warning, "only stores", "--listen 127", func(f *Facts) { f.Settings.Listen = "-" }},
		{"notifications wait", Warning, "5 notifications", "journalctl", func(f *Facts) { f.Store.Unsent, f.Store.UnsentSince = 5, now.Add(-2*time.Hour) }},
	} {
		t.Run(one.name, func(t *testing.T) {
			f := healthy()
			one.change(f)
			var amiss []Finding
			for _, l := range Examine(f, false) {
				if l.Level != Fine {
					amiss = append(amiss, l)
				}
			}
			if len(amiss) != 1 || amiss[0].Level != one.level || !strings.Contains(amiss[0].Text, one.has) || !strings.Contains(amiss[0].Remedy, one.remedy) {
				t.Errorf("%+v", amiss)
			}
			if got := Worst(Examine(f, true)); got != one.level {
				t.Errorf("worst %s", got)
			}
			for _, l := range Examine(f, true) {
				if !strings.ContainsFunc(l.Name+l.Text, func(c rune) bool { return c > 0x2e80 }) || strings.Contains(l.Text+l.Remedy, "%!") {
					t.Errorf("in Chinese: %+v", l)
				}
			}
		})
	}
}
