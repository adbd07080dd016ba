package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// login is a script that logs in at the desk of the guest, which has no curl, and prints the
// answer.
func login(id, password string) string {
	body := fmt.Sprintf(`{"login":%q,"password":%q}`, id, password)
	return fmt.Sprintf(`exec 3<>/dev/tcp/127.0.0.1/8417
printf 'POST /v1/login HTTP/1.1\r\nHost: 127.0.0.1:8417\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%%s' '%s' >&3
timeout 60 cat <&3`, len(body), body)
}

// TestE2EInstallDesk: the package of the back office in a clean Debian with a broker on it:
// start, first person, login, doctor, backup, upgrade, removal, purge.
func TestE2EInstallDesk(t *testing.T) {
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	g := boot(t, shared)
	packages(t, shared, "1.0.0", "FLAVOURS=desk verify")
	lintian(t, filepath.Join(shared, "yuanlu-desk_1.0.0_amd64.deb"))
	lintian(t, filepath.Join(shared, "yuanlu-verify_1.0.0_amd64.deb"))
	packages(t, filepath.Join(shared, "newer"), "2.0.0", "FLAVOURS=desk")
	g.must(`systemctl stop mosquitto; mkdir -p /run/broker
mosquitto_passwd -b -c /run/broker/passwords backoffice secret
printf 'listener 1883 127.0.0.1\npassword_file /run/broker/passwords\n' >/run/broker/conf
chown -R mosquitto /run/broker && systemd-run -q --unit broker mosquitto -c /run/broker/conf`)
	if out := g.must("dpkg -i /srv/yuanlu-desk_1.0.0_amd64.deb; systemctl is-active yuanlu-desk || true"); !strings.Contains(out, "Next: edit /etc/default/yuanlu-desk") || !strings.Contains(out, "inactive") {
		t.Errorf("install: %s", out)
	}
	g.must(`install -m 0640 -g yuanlu-desk /dev/stdin /etc/yuanlu-desk/password <<<secret
sed -i 's#tls://broker.example:8883#tcp://127.0.0.1:1883#' /etc/default/yuanlu-desk
systemctl enable --now yuanlu-desk && systemctl is-active yuanlu-desk`)
	out := g.must("yuanlu-desk people add boss --staff 1 --role supervisor,checker,manager --shop '*' --store /var/lib/yuanlu-desk/desk.db")
	m := regexp.MustCompile(`login boss  password (\S+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatal(out)
	}
	if out := g.must(login("boss", m[1])); !strings.HasPrefix(out, "HTTP/1.1 200") || !strings.Contains(out, "Set-Cookie: __Host-yuanlu=") {
		t.Errorf("login: %s", out)
	}
	if out := g.must(login("boss", "a wrong password")); strings.HasPrefix(out, "HTTP/1.1 200") {
		t.Errorf("login with a wrong password: %s", out)
	}
	checkDeskDoctor(t, g)
	out = g.must(`stat -c '%A %U:%G %n' /etc/yuanlu-desk /var/lib/yuanlu-desk /var/lib/yuanlu-desk/desk.db; dpkg -L yuanlu-desk; systemd-analyze security --no-pager yuanlu-desk | tail -1`)
	for _, want := range []string{"drwxr-x--- root:yuanlu-desk", "drwx------ yuanlu-desk:yuanlu-desk", "-rw------- yuanlu-desk:yuanlu-desk", "/usr/share/man/man8/yuanlu-desk-doctor.8.gz",
		"/usr/share/man/zh_CN/man8/yuanlu-desk-backup.8.gz", "/usr/share/bash-completion/completions/yuanlu-desk", " 1."} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	deskUpgradeAndPurge(t, g)
	out = g.must("dpkg -i /srv/yuanlu-verify_1.0.0_amd64.deb && yuanlu-verify version && dpkg -L yuanlu-verify && dpkg -P yuanlu-verify && test ! -e /usr/bin/yuanlu-verify")
	for _, want := range []string{"yuanlu-verify 1.0.0", "/usr/share/man/man8/yuanlu-verify.8.gz", "/usr/share/man/zh_CN/man8/yuanlu-verify.8.gz", "/usr/share/doc/yuanlu-verify/copyright",
		"/usr/share/bash-completion/completions/yuanlu-verify", "/usr/share/doc/yuanlu-verify/yuanlu-verify.cdx.json"} {
		if !strings.Contains(out, want) {
			t.Errorf("the verifier's package: no %q in %s", want, out)
		}
	}
}

// checkDeskDoctor: nothing is amiss but what is of this machine, and of one person alone.
func checkDeskDoctor(t *testing.T, g *debian) {
	t.Helper()
	out, err := g.run("yuanlu-desk doctor")
	if exitOf(err) != 5 {
		t.Errorf("doctor ends with %v:\n%s", err, out)
	}
	for line := range strings.Lines(out) {
		if bad := strings.HasPrefix(line, "‼") || strings.HasPrefix(line, "×"); bad && !strings.Contains(line, "clock") && !strings.Contains(line, "people") && !strings.Contains(line, "disk") {
			t.Errorf("not right: %s", line)
		}
	}
	if !strings.Contains(out, "nobody may approve what another proposes") || !strings.Contains(out, `online as "desk"`) {
		t.Errorf("doctor: %s", out)
	}
}

func deskUpgradeAndPurge(t *testing.T, g *debian) {
	t.Helper()
	g.must("yuanlu-desk backup /root/desk.backup --store /var/lib/yuanlu-desk/desk.db && yuanlu-desk restore --check /root/desk.backup")
	g.must("dpkg -i /srv/newer/yuanlu-desk_2.0.0_amd64.deb")
	eventually(t, time.Minute, "the new version runs", func() bool {
		out, _ := g.run("systemctl is-active yuanlu-desk && yuanlu-desk people list --store /var/lib/yuanlu-desk/desk.db && yuanlu-desk version")
		return strings.HasPrefix(out, "active") && strings.Contains(out, "boss") && strings.Contains(out, "yuanlu-desk 2.0.0")
	})
	// A disk is lost: the backup brings the desk back, as its user.
	g.must(`systemctl stop yuanlu-desk && rm /var/lib/yuanlu-desk/desk.db* && yuanlu-desk restore /root/desk.backup --store /var/lib/yuanlu-desk/desk.db
systemctl start yuanlu-desk && systemctl is-active yuanlu-desk && yuanlu-desk people list --store /var/lib/yuanlu-desk/desk.db | grep -q boss`)
	if out := g.must("dpkg -r yuanlu-desk; test -s /var/lib/yuanlu-desk/desk.db; test -e /etc/default/yuanlu-desk; systemctl is-active yuanlu-desk || true"); !strings.Contains(out, "inactive") {
		t.Errorf("remove: %s", out)
	}
	out := g.must("dpkg -P yuanlu-desk; ls -d /var/lib/yuanlu-desk /etc/yuanlu-desk /etc/default/yuanlu-desk 2>&1; systemctl list-unit-files --no-pager | grep yuanlu-desk || true")
	if !strings.Contains(out, "purge removes /var/lib/yuanlu-desk") || strings.Count(out, "cannot access") != 3 || strings.Contains(out, "yuanlu-desk.service") {
		t.Errorf("purge: %s", out)
	}
}
