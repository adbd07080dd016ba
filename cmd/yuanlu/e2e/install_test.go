package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// packages builds the package of a version into a folder.
func packages(t *testing.T, dir, version string, more ...string) {
	t.Helper()
	cmd := exec.Command("../../../.ci/deb", dir)
	cmd.Env = append(os.Environ(), "VERSION="+version, "COMMIT=0123456789ab", "DATE=2026-11-25T02:52:23Z", "LDFLAGS=-s -w -X main.version="+version,
		"ARCHES=amd64", "FLAVOURS=usb", "GOFLAGS=-trimpath")
	cmd.Env = append(cmd.Env, more...)
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(string(out), "is left out"):
		t.Skipf("no package with USB can be built here: %s", out)
	case err != nil:
		t.Fatalf("%v: %s", err, out)
	}
}

// lintian has Debian's own checks look at a package, where they are installed.
func lintian(t *testing.T, file string) {
	t.Helper()
	if _, err := exec.LookPath("lintian"); err != nil {
		t.Log("Debian's checks are not installed here (apt-get install lintian)")
		return
	}
	if out, err := exec.Command("lintian", "--allow-root", "--fail-on", "error,warning", file).CombinedOutput(); err != nil {
		t.Errorf("lintian: %v: %s", err, out)
	}
}

// readmeInstall returns the lines of the README's section Install.
func readmeInstall(t *testing.T) string {
	t.Helper()
	text := textOf(readmeBlocks(t, "Install"), "sh")
	if !strings.Contains(text, "apt-get install") || !strings.Contains(text, "yuanlu setup") {
		t.Fatalf("the README's Install has no such block: %q", text)
	}
	return text
}

// counted is what these tests need of status --json.
type counted struct {
	Build   struct{ Version string }
	Records int
	Links   []struct {
		Name, State string
		Records     int
	}
	Counts struct{ Records int }
}

// of returns how many records a link has brought since the daemon began.
func (c counted) of(link string) int {
	for _, l := range c.Links {
		if l.Name == link {
			return l.Records
		}
	}
	return 0
}

func (g *debian) status() (s counted) {
	g.t.Helper()
	out, err := g.run("yuanlu status --json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &s)
	}
	if err != nil {
		g.t.Logf("status: %v: %s", err, out)
	}
	return s
}

// newcomer puts into the guest what stands on the counter before the first command: a
// terminal that sells, a broker with TLS, passwords and an access list, its authority.
func (g *debian) newcomer(shared string) {
	g.t.Helper()
	authority := brokertest.NewAuthority(g.t)
	server := authority.Server(time.Time{}, time.Time{}, "broker.example")
	for name, from := range map[string]string{"ca.pem": authority.CAFile, "broker.pem": server.CertFile, "broker.key": server.KeyFile} {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(shared, name), b, 0o644)
		}
		if err != nil {
			g.t.Fatal(err)
		}
	}
	g.must(`echo 127.0.0.1 broker.example >>/etc/hosts
install -d -m 0755 /etc/yuanlu && cp /srv/ca.pem /etc/yuanlu/ && (umask 077; echo secret >/etc/yuanlu/password)
systemctl stop mosquitto; mkdir -p /run/broker; cp /srv/broker.pem /srv/broker.key /run/broker/
mosquitto_passwd -b -c /run/broker/passwords t-00423 secret
printf 'pattern write yuanlu/v1/%%u/up/#\npattern read yuanlu/v1/%%u/dn/#\npattern read yuanlu/v1/_host/+/state\n' >/run/broker/acl
cat >/run/broker/conf <<END
listener 8883 127.0.0.1
certfile /run/broker/broker.pem
keyfile /run/broker/broker.key
password_file /run/broker/passwords
acl_file /run/broker/acl
END
chown -R mosquitto /run/broker
systemd-run -q --unit broker mosquitto -c /run/broker/conf`)
}

// sells has a smart terminal sell at /dev/ttyUSB0, so many transactions.
func (g *debian) sells(count int) {
	g.t.Helper()
	g.must(`systemd-run -q --unit firmware --property=StandardInput=null /srv/firmware-sim run --terminal smart --link pty --symlink /dev/ttyUSB0 --journal /run/journal.jsonl --speed 0 --rate 12 --count ` + itoa(count) + `
for i in $(seq 100); do [ -e /dev/ttyUSB0 ] && break; sleep 0.1; done
getent group yuanlu >/dev/null || groupadd --system yuanlu
chgrp yuanlu "$(readlink /dev/ttyUSB0)" && chmod 660 "$(readlink /dev/ttyUSB0)"`)
}

// prints has a terminal without confirms sell at /dev/ttyUSB1, so many transactions, and adds
// it to the configuration as link card.
func (g *debian) prints(count int) {
	g.t.Helper()
	g.must(`systemd-run -q --unit printer --property=StandardInput=null /srv/firmware-sim run --terminal traditional --id 10000009 --link pty --symlink /dev/ttyUSB1 --journal /run/printed.jsonl --speed 0 --rate 20 --count ` + itoa(count) + `
for i in $(seq 100); do [ -e /dev/ttyUSB1 ] && break; sleep 0.1; done
chgrp yuanlu "$(readlink /dev/ttyUSB1)" && chmod 660 "$(readlink /dev/ttyUSB1)"
printf '\n[[link]]\nname = "card"\nwire = "mispos"\nport = "/dev/ttyUSB1"\n' >>/etc/yuanlu/yuanlu.toml
systemctl reload yuanlu`)
}

// TestE2EInstall: the README's lines, word for word, in a clean Debian; then upgrade under
// a running daemon while records arrive, a refused downgrade, removal, purge.
func TestE2EInstall(t *testing.T) {
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	g := boot(t, shared)
	packages(t, shared, "1.0.0")
	lintian(t, filepath.Join(shared, "yuanlu_1.0.0_amd64.deb"))
	packages(t, filepath.Join(shared, "newer"), "2.0.0")
	packages(t, filepath.Join(shared, "older"), "0.9.0", "STORE_VERSION=1")
	if out, err := exec.Command("go", "build", "-o", filepath.Join(shared, "firmware-sim"), "yuanlu/cmd/firmware-sim").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	g.newcomer(shared)
	const sold = 400
	g.sells(sold)
	begin := time.Now()
	out, err := g.run("cd /srv && set -e\n" + readmeInstall(t))
	t.Logf("from package to doctor in %v:\n%s", time.Since(begin).Round(time.Second), out)
	onlyClock(t, out, err)
	for _, want := range []string{"wire smart", "first record: ", "/etc/yuanlu/yuanlu.toml written"} {
		if !strings.Contains(out, want) {
			t.Errorf("setup: no %q", want)
		}
	}
	// Run again: it keeps what it does not ask, and what was amiss here is mended.
	before := g.must("cat /etc/yuanlu/yuanlu.toml")
	if out, err := g.run("yuanlu setup --yes --trust-clock"); err != nil {
		t.Errorf("doctor is not green: %v\n%s", err, out)
	}
	after := g.must("cat /etc/yuanlu/yuanlu.toml")
	if want := before + "\n[time]\ntrust = \"always\"\n"; after != want {
		t.Errorf("setup has changed more than the clock:\n%s\nwant\n%s", after, want)
	}
	checkUnit(t, g)
	checkBundle(t, g)
	upgrade(t, g, sold)
	downgradeAndPurge(t, g)
}

// onlyClock accepts what is of this machine: nothing sets its clock.
func onlyClock(t *testing.T, out string, err error) {
	t.Helper()
	if err != nil && exitOf(err) != 4 {
		t.Fatalf("the README's lines: %v", err)
	}
	for line := range strings.Lines(out) {
		if (strings.HasPrefix(line, "‼") || strings.HasPrefix(line, "×")) && !strings.Contains(line, "clock") && !strings.Contains(line, "synchronised") {
			t.Errorf("not green: %s", line)
		}
	}
}

// checkUnit: the unit is enabled and as closed as was promised, a reload works without
// procps, every page and completion is there.
func checkUnit(t *testing.T, g *debian) {
	t.Helper()
	g.must("systemctl is-enabled yuanlu && systemctl is-active yuanlu && systemctl reload yuanlu")
	out := g.must("systemd-analyze security --no-pager yuanlu | tail -1")
	if m := regexp.MustCompile(`[:] ([0-9.]+) `).FindStringSubmatch(out); m == nil || m[1] >= "2.0" {
		t.Errorf("exposure: %s", out)
	}
	// What the filter of system calls forbids, nothing needs.
	if out := g.must("journalctl -u yuanlu --no-pager"); strings.Contains(out, "core dumps") || strings.Contains(out, "mode is different") || strings.Contains(out, "not permitted") {
		t.Errorf("the journal: %s", out)
	}
	out = g.must("dpkg -L yuanlu; dpkg-query -W -f='${Conffiles}' yuanlu; stat -c '%A %U:%G' /etc/yuanlu /etc/yuanlu/yuanlu.toml /var/lib/yuanlu")
	for _, want := range []string{"/usr/share/man/man8/yuanlu.8.gz", "/usr/share/man/man8/yuanlu-doctor.8.gz", "/usr/share/man/zh_CN/man8/yuanlu-doctor.8.gz", "/usr/share/man/man7/yuanlu-codes.7.gz",
		"/usr/share/bash-completion/completions/yuanlu", "/usr/share/zsh/vendor-completions/_yuanlu", "/usr/share/fish/vendor_completions.d/yuanlu.fish",
		"/usr/share/doc/yuanlu/changelog.gz", "/usr/share/doc/yuanlu/copyright", "/usr/share/doc/yuanlu/THIRD_PARTY.txt", "/usr/share/doc/yuanlu/yuanlu.cdx.json",
		"/lib/udev/rules.d/70-yuanlu.rules", " /etc/yuanlu/example.toml ", "drwxr-x--- root:yuanlu", "-rw-r----- root:yuanlu", "drwx------ yuanlu:yuanlu"} {
		if !strings.Contains(out, want) {
			t.Errorf("the package: no %q in\n%s", want, out)
		}
	}
}

// checkBundle: what systemd knows of the unit, and what the daemon and systemd have written
// about it, are in a bundle of root, whole; one of another user names what it lacks.
func checkBundle(t *testing.T, g *debian) {
	t.Helper()
	g.must("yuanlu support-bundle --out /tmp/root.tgz && mkdir /tmp/root && tar xzf /tmp/root.tgz -C /tmp/root --strip-components 1")
	for file, want := range map[string][]string{
		"unit.txt":    {"Id=yuanlu.service", "ActiveState=active", "SubState=running", "UnitFileState=enabled", "Result=success", "NRestarts=0", "WatchdogUSec=1min", "User=yuanlu", "StatusText="},
		"journal.txt": {"systemd[1]: Started yuanlu.service", "]: agent.ready", "]: link.online link=pos", "]: mqtt.connected"},
	} {
		out := g.must("cat /tmp/root/" + file)
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("the bundle's %s: no %q in\n%s", file, w, out)
			}
		}
	}
	if out := g.must("cat /tmp/root/manifest.json"); strings.Contains(out, `"error"`) {
		t.Errorf("the bundle lacks something: %s", out)
	}
	out := g.must("cd /tmp && setpriv --reuid nobody --regid nogroup --clear-groups yuanlu support-bundle --out /tmp/nobody.tgz 2>&1")
	if !strings.Contains(out, "without a configuration there is no status") || !strings.Contains(out, "sudo yuanlu") {
		t.Errorf("a bundle of another user does not name the configuration:\n%s", out)
	}
	for _, part := range []string{"unit.txt", "journal.txt", "kernel.txt"} {
		if !regexp.MustCompile(part + " is missing or not whole: .*sudo yuanlu support-bundle").MatchString(out) {
			t.Errorf("a bundle of another user does not name %s and what it needs:\n%s", part, out)
		}
	}
}

// upgrade replaces the program while records arrive: each one that the firmware got a
// confirm for is in the store.
func upgrade(t *testing.T, g *debian, sold int) {
	t.Helper()
	eventually(t, time.Minute, "records before the upgrade", func() bool { return g.status().Counts.Records > 20 })
	const printed = 300
	g.prints(printed)
	eventually(t, time.Minute, "records of a terminal without confirms", func() bool { return g.status().of("card") > 20 })
	before := g.status().Counts.Records
	g.must("apt-get install -y /srv/newer/yuanlu_2.0.0_amd64.deb")
	if s := g.status(); s.Build.Version != "2.0.0" || before >= sold {
		t.Errorf("after the upgrade: version %q runs, %d of %d records had come before it", s.Build.Version, before, sold)
	}
	// What has come meanwhile waited in the kernel, which is asked again after a plain restart.
	g.must("sleep 1; systemctl restart yuanlu")
	eventually(t, 2*time.Minute, "the firmware has ended", func() bool {
		out, _ := g.run("systemctl is-active firmware printer")
		return !strings.HasPrefix(out, "active") && !strings.HasSuffix(strings.TrimSpace(out), "\nactive")
	})
	if out, _ := g.run("systemctl show -p Result --value firmware"); strings.TrimSpace(out) != "success" {
		t.Errorf("firmware-sim: %s", g.must("journalctl -u firmware --no-pager | tail -5"))
	}
	journal := strings.Count(g.must("/srv/firmware-sim ledger /run/journal.jsonl; /srv/firmware-sim ledger /run/printed.jsonl | grep -v '\"training\":true'"), "\n") // training is not printed
	eventually(t, time.Minute, "every record in the store", func() bool { return g.status().Counts.Records >= journal })
	if s := g.status(); s.Counts.Records != journal || journal < sold+printed*9/10 {
		t.Errorf("%d records in the store, %d in the firmware's journal", s.Counts.Records, journal)
	}
	if out := g.must("journalctl -u yuanlu --no-pager"); strings.Contains(out, "integrity.capture_gap") || strings.Contains(out, "records.unstored") {
		t.Errorf("records were lost:\n%s", tailOf(out, 20))
	}
}

func downgradeAndPurge(t *testing.T, g *debian) {
	t.Helper()
	g.refused("dpkg -i /srv/older/yuanlu_0.9.0_amd64.deb", "cannot read the store of this", "store version 1", "version "+strings.TrimSpace(g.must("yuanlu store version")), "无法读取本机数据库")
	if out := g.must("yuanlu version | head -1; dpkg-query -W -f='${Status} ${Version}' yuanlu; systemctl is-active yuanlu"); !strings.HasPrefix(out, "yuanlu 2.0.0\ninstall ok installed 2.0.0") {
		t.Errorf("after the refused downgrade: %s", out)
	}
	// One that can read the store is no danger.
	g.must("dpkg -i /srv/yuanlu_1.0.0_amd64.deb && systemctl is-active yuanlu")
	records := g.status().Counts.Records
	out := g.must("dpkg -r yuanlu; test -s /var/lib/yuanlu/yuanlu.db; test -e /etc/yuanlu/yuanlu.toml; systemctl is-active yuanlu || true")
	if !strings.Contains(out, "purge removes them") || !strings.Contains(out, "inactive") {
		t.Errorf("remove: %s", out)
	}
	g.must("dpkg -i /srv/newer/yuanlu_2.0.0_amd64.deb && systemctl is-active yuanlu")
	if s := g.status(); s.Counts.Records != records || records == 0 {
		t.Errorf("%d records after remove and install, %d before", s.Counts.Records, records)
	}
	out = g.must("dpkg -P yuanlu; ls -d /var/lib/yuanlu /etc/yuanlu 2>&1; getent passwd yuanlu; systemctl list-unit-files --no-pager | grep yuanlu || true")
	if !strings.Contains(out, "purge removes /var/lib/yuanlu") || !strings.Contains(out, "cannot access '/var/lib/yuanlu'") || !strings.Contains(out, "cannot access '/etc/yuanlu'") || strings.Contains(out, "yuanlu.service") {
		t.Errorf("purge: %s", out)
	}
}
