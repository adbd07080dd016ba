package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/bundle"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// Identities that the store of these tests was given.
var identities = []string{"6222020200112233446", "6200000111122227", "6205500770011223346", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "2088102146225135"}

const (
	brokerPassword = "correct-horse-battery-staple"
	privateKey     = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg"
)

// sightingOf is one record of a channel as it is stored, number n of its batch; a refund is
// of the sale before it.
func sightingOf(db *ledger.DB, kind refund.Kind, n int, channel refund.Channel, party refund.Party) refund.Sighting {
	r := refund.Record{Kind: kind, Outcome: refund.Approved, MerchantID: "898000000000001", TerminalID: "10000001", Channel: channel, Entry: refund.EntryChip,
		Amount: 1000, HasAmount: true, Currency: "CNY", At: "2026-08-23T09:00:00+08:00", Stan: fmt.Sprintf("%06d", n), Batch: "000001",
		RRN: fmt.Sprintf("%012d", n), OrderNo: fmt.Sprint("O", n), Party: &party}
	if kind == refund.KindRefund {
		r.Original = refund.Original{RRN: fmt.Sprintf("%012d", n-1), OrderNo: fmt.Sprint("O", n-1)}
	}
	return refund.Sighting{Record: refund.Seal(r, db.Keys()), Received: time.Now(), ClockSynced: true, FrameMAC: db.Keys().MAC([]byte(r.RRN))}
}

// fillStore makes a store with wrong refunds by card and wallet: cases, waiting
// events, one that the back office refused with a card number in its own words.
func fillStore(t *testing.T, dir string) {
	t.Helper()
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Judge: newJudge(refund.DefaultSettings()), Now: time.Now, Grace: -1})
	if err != nil {
		t.Fatal(err)
	}
	record := func(kind refund.Kind, n int, channel refund.Channel, party refund.Party) refund.Sighting {
		return sightingOf(db, kind, n, channel, party)
	}
	card := func(id string) refund.Party { return refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret(id)} }
	openid := func(id string) refund.Party {
		return refund.Party{Scheme: refund.SchemeWeChatOpenID, Namespace: "wx1", ID: refund.NewSecret(id)}
	}
	_, err = db.Apply(t.Context(), []refund.Arrival{{Link: "pos", Sightings: []refund.Sighting{
		record(refund.KindSale, 1, refund.ChannelCard, card(identities[0])), record(refund.KindRefund, 2, refund.ChannelCard, card(identities[1])),
		record(refund.KindSale, 3, refund.ChannelCard, card(identities[1])), record(refund.KindRefund, 4, refund.ChannelCard, card(identities[2])),
		record(refund.KindSale, 5, refund.ChannelWeChat, openid(identities[3])), record(refund.KindRefund, 6, refund.ChannelWeChat, openid(identities[4])),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if list, _, err := db.Due(t.Context(), time.Now(), 1, nil); err != nil || len(list) != 1 { // only what was given can be refused
		t.Fatalf("%d due, %v", len(list), err)
	}
	if err := db.Nacked(t.Context(), db.Stream(), 1, "schema", "what is "+identities[0]+" of "+identities[3]); err != nil {
		t.Fatal(err)
	}
	if s, err := db.OutboxStat(t.Context()); err != nil || s.Quarantined != 1 || s.Waiting == 0 {
		t.Fatalf("outbox %+v, %v", s, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// unpackBundle returns the parts of a bundle by name.
func unpackBundle(t *testing.T, file string) map[string][]byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]byte{}
	for in := tar.NewReader(z); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(h.Name, "/")
		if parts[name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
}

// searchParts looks for each identity as text, hex and BCD, and for secrets.
func searchParts(t *testing.T, parts map[string][]byte) {
	t.Helper()
	needles := map[string][]byte{"the password": []byte(brokerPassword), "the private key": []byte(privateKey)}
	for _, id := range identities {
		needles[id+" as text"], needles[id+" as hex"] = []byte(id), []byte(hex.EncodeToString([]byte(id)))
		for how, padded := range map[string]string{"": id, " filled right": id + "0", " filled left": "0" + id, " filled with f": id + "f"} {
			if b, err := hex.DecodeString(padded); err == nil {
				needles[id+" as BCD"+how] = b
			}
		}
	}
	for name, b := range parts {
		for what, n := range needles {
			if bytes.Contains(b, n) {
				t.Errorf("%s holds %s", name, what)
			}
		}
	}
}

// mustBeThere leaves out what depends on the machine: systemd, and who may read the
// messages of the kernel.
func mustBeThere(failed []string) []string {
	return slices.DeleteFunc(slices.Clone(failed), func(name string) bool {
		return name == "unit.txt" || name == "journal.txt" || name == "kernel.txt"
	})
}

func exitOf(code int, _, _ string) int { return code }

// takeBundle returns the parts of a bundle and removes it.
func takeBundle(t *testing.T, file string) map[string][]byte {
	t.Helper()
	parts := unpackBundle(t, file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	return parts
}

func TestBundleHoldsNoSecret(t *testing.T) {
	config, dir := writeConfig(t, "[mqtt]\nurl = \"tls://127.0.0.1:1\"\npassword_file = \"TMP/password\"\ncert_file = \"TMP/cert.pem\"\nkey_file = \"TMP/key.pem\"\n[time]\ntrust = \"always\"\n")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(config, strings.ReplaceAll(string(text), "TMP", dir))
	write(dir+"/password", brokerPassword+"\n")
	write(dir+"/key.pem", "-----BEGIN PRIVATE KEY-----\n"+privateKey+"\n-----END PRIVATE KEY-----\n")
	write(dir+"/cert.pem", "no certificate\n")
	fillStore(t, dir+"/store")
	if err := os.MkdirAll(dir+"/store/log", 0o700); err != nil {
		t.Fatal(err)
	}
	// What must never be in a log is masked all the same.
	write(dir+"/store/log/yuanlu.log", "2026-08-23T09:00:00.123+08:00 WARN some.code pan="+identities[0]+" ok=1\n")

	out := filepath.Join(dir, "stopped.tar.gz")
	code, stdout, errs := yl(t, "", "support-bundle", "--config", config, "--out", out, "--captures", "--json")
	var r bundle.Result
	if err := json.Unmarshal([]byte(stdout), &r); code != 0 || err != nil || r.File != out || len(mustBeThere(r.Failed)) != 1 || mustBeThere(r.Failed)[0] != "unread.json" {
		t.Fatalf("exit %d, %v: %s%s", code, err, stdout, errs)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 || info.Size() != r.Bytes {
		t.Errorf("%v, %v", info, err)
	}
	parts := unpackBundle(t, out)
	searchParts(t, parts)
	for name, want := range map[string]string{
		"version.json": `"version"`, "doctor.txt": "warning daemon: is not running", "config.toml": `password_file = "` + dir + `/password"`,
		"status.json": `"running": false`, "log-file.txt": "pan=622202*********3446", "outbox-stat.json": `"Quarantined": 1`,
		"outbox-list.json": `"code": "schema"`, "store.json": `"quick_check": "ok"`, "system.json": `"kernel": "Linux`, "links.json": "[", "captures.json": "",
		"ports.json": `"link": "pos"`, "network.json": `"host": "127.0.0.1"`, "cases.json": `"would_change"`,
		"cases.txt":     "wrong recipient (recipient_mismatch, RC-101)",
		"manifest.json": `"store.json"`,
	} {
		if b, there := parts[name]; !there || !strings.Contains(string(b), want) {
			t.Errorf("%s does not say %s: %s", name, want, b)
		}
	}

	master, slave := openPTY(t)
	if err := os.Symlink(slave, dir+"/port"); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, config)
	eventually(t, "agent.ready", d.said("agent.ready"))
	eventually(t, "link.online", d.said("link.online"))
	for _, id := range identities { // on a wrong wire, in ASCII and packed
		packed, _ := hex.DecodeString(id + "0") // what is no number stays out
		if _, err := master.Write(append([]byte("~"+id+"~"), packed...)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the shape of what is not understood", func() bool {
		return exitOf(yl(t, "", "support-bundle", "--config", config, "--out", dir+"/try.tar.gz")) == 0 &&
			strings.Contains(string(takeBundle(t, dir+"/try.tar.gz")["unread.json"]), `"pattern"`)
	})
	running := filepath.Join(dir, "running.tar.gz")
	if code, out, errs := yl(t, "", "support-bundle", "--config", config, "--out", running, "--lang", "zh"); code != 0 || !strings.Contains(out, "sha256") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	parts = unpackBundle(t, running)
	searchParts(t, parts)
	for name, want := range map[string]string{"ports.json": "speed 9600 baud; cs8", "unread.json": `"D": `, "cases.txt": "收款方与付款方不同（recipient_mismatch，RC-101）"} {
		if !strings.Contains(string(parts[name]), want) {
			t.Errorf("%s does not have %s: %s", name, want, parts[name])
		}
	}
	if !strings.Contains(string(parts["status.json"]), `"running": true`) || !strings.Contains(string(parts["log.txt"]), "agent.ready") ||
		!strings.Contains(string(parts["doctor.txt"]), "完整") {
		t.Errorf("status %s\nlog %s\ndoctor %s", parts["status.json"], parts["log.txt"], parts["doctor.txt"])
	}
	d.stop(t)
}

// A bundle is what a technician makes when nothing works: a wrong configuration and
// a store that is not there do not keep it from being made.
func TestBundleWhereNothingWorks(t *testing.T) {
	config, dir := writeConfig(t, "[mqtt]\nulr = 1\n")
	out := filepath.Join(dir, "b.tar.gz")
	if code, stdout, errs := yl(t, "", "support-bundle", "--config", config, "--out", out); code != 0 {
		t.Fatalf("exit %d: %s%s", code, stdout, errs)
	}
	parts := unpackBundle(t, out)
	if !strings.Contains(string(parts["config-errors.txt"]), "did you mean") || len(parts["system.json"]) == 0 || len(parts["doctor.txt"]) == 0 {
		t.Errorf("%q", parts)
	}
	good, dir := writeConfig(t, "")
	out = filepath.Join(dir, "b.tar.gz")
	code, _, errs := yl(t, "", "support-bundle", "--config", good, "--out", out)
	if code != 0 || !strings.Contains(errs, "store.json is missing or not whole: ") {
		t.Errorf("without a store: exit %d: %s", code, errs)
	}
	if code, _, errs := yl(t, "", "support-bundle", "--config", good, "--out", "/proc/nowhere/b"); code == 0 {
		t.Errorf("written to nowhere: %s", errs)
	}
}
