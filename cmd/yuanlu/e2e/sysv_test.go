package e2e

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sysvScript is what a person does on a machine without systemd: install the static
// package, set up, and use the script of /etc/init.d.
const sysvScript = `set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8
step() { echo "== $*"; "$@"; }
dpkg -i /srv/yuanlu-static_1.0.0_amd64.deb
step /etc/init.d/yuanlu start
yuanlu setup --yes --terminal t-1 --link pos=/dev/null,mispos,9600 --broker none --trust-clock || echo "setup: $?"
step /etc/init.d/yuanlu status
pid=$(cat /run/yuanlu.pid)
daemon=$(cat /proc/$pid/task/$pid/children)
stat -c 'user %U' /proc/$pid
sed -i 's/level = "info"/level = "debug"/' /etc/yuanlu/yuanlu.toml
step /etc/init.d/yuanlu reload
for i in $(seq 100); do grep -q config.reloaded /var/lib/yuanlu/log/yuanlu.log && break; sleep 0.1; done
if grep -q config.reloaded /var/lib/yuanlu/log/yuanlu.log; then echo "read again"; fi
echo "== killed, and started again by its supervisor"
kill -9 $daemon
for i in $(seq 300); do # for five seconds its only child is sleep
  now=$(cat /proc/$pid/task/$pid/children | tr -d ' ')
  exe=$(readlink "/proc/$now/exe" || true)
  if [ "$exe" = /usr/bin/yuanlu ] && [ "$now" != "${daemon% }" ]; then break; fi
  sleep 0.1
done
echo "$exe"
step /etc/init.d/yuanlu restart
step /etc/init.d/yuanlu stop
/etc/init.d/yuanlu status || echo "status: $?"
sed -i 's/level = "debug"/levle = "debug"/' /etc/yuanlu/yuanlu.toml
/etc/init.d/yuanlu start || echo "wrong configuration: $?"
dpkg -P yuanlu-static
ls -d /etc/yuanlu /var/lib/yuanlu /etc/init.d/yuanlu 2>&1 || true
`

// openrcScript is the same with OpenRC, and one file in place of a package.
const openrcScript = `set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
for d in daemons exclusive failed hotplugged inactive options scheduled started starting stopping tmp wasinactive; do mkdir -p /run/openrc/$d; done
touch /run/openrc/softlevel # as if it had booted
dpkg -x /srv/yuanlu-static_1.0.0_amd64.deb /tmp/x
install -m 755 /tmp/x/usr/bin/yuanlu /usr/bin/yuanlu
install -m 755 /tmp/x/usr/share/doc/yuanlu-static/yuanlu.openrc /etc/init.d/yuanlu
groupadd --system yuanlu && useradd --system --gid yuanlu --home-dir /var/lib/yuanlu --no-create-home --shell /usr/sbin/nologin yuanlu
install -d -m 0750 -g yuanlu /etc/yuanlu
rc-update add yuanlu default
yuanlu setup --yes --terminal t-1 --link pos=/dev/null,mispos,9600 --broker none --trust-clock || echo "setup: $?"
rc-service yuanlu status
ps() { for p in /proc/[0-9]*; do if [ "$(readlink $p/exe)" = /usr/bin/yuanlu ]; then stat -c '%U' $p; fi; done; }
echo "daemon of $(ps | head -1)"
sed -i 's/level = "info"/level = "debug"/' /etc/yuanlu/yuanlu.toml
rc-service yuanlu reload
for i in $(seq 100); do grep -q config.reloaded /var/lib/yuanlu/log/yuanlu.log && break; sleep 0.1; done
if grep -q config.reloaded /var/lib/yuanlu/log/yuanlu.log; then echo "read again"; fi
rc-service yuanlu stop
echo "left: $(ps | wc -l)"
`

// bare runs a script in a clean Debian whose first process is no init system. It returns what
// the script prints, and the sum of the package that it has built for it.
func bare(t *testing.T, name, script string) (string, [sha256.Size]byte) {
	t.Helper()
	shared := t.TempDir()
	baseRoot(t) // before anything is built: it may not be had
	packages(t, shared, "1.0.0", "FLAVOURS=static")
	if err := os.WriteFile(filepath.Join(shared, "script"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := inRoot(t, name, shared, "--as-pid2", "sh", "/srv/script").CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, tailOf(string(out), 60))
	}
	b, err := os.ReadFile(filepath.Join(shared, "yuanlu-static_1.0.0_amd64.deb"))
	if err != nil {
		t.Fatal(err)
	}
	return string(out), sha256.Sum256(b)
}

// inOrder fails the test unless a text has all of these, one behind the other.
func inOrder(t *testing.T, text string, all ...string) {
	t.Helper()
	at := 0
	for _, want := range all {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("no %q (in its place) in:\n%s", want, text)
		}
		at += i + len(want)
	}
}

// TestE2EWithoutSystemd: the static package on a machine without systemd and udev: the
// script starts, supervises, reloads and stops the daemon, as its user; so does OpenRC's.
func TestE2EWithoutSystemd(t *testing.T) {
	sysv, first := bare(t, "sysv", sysvScript)
	inOrder(t, sysv,
		"Next: yuanlu setup", "there is no /etc/yuanlu/yuanlu.toml: run yuanlu setup", "/etc/yuanlu/yuanlu.toml written", "# /etc/init.d/yuanlu start",
		"yuanlu: runs, pid ", "user yuanlu", "init.d/yuanlu reload", "read again", "started again by its supervisor", "/usr/bin/yuanlu", "yuanlu: stopped", "yuanlu: started", "yuanlu: stopped", "yuanlu: does not run", "status: 3",
		`did you mean "level"?`, "wrong configuration: 78", "purge removes /var/lib/yuanlu", "cannot access '/etc/yuanlu'", "cannot access '/var/lib/yuanlu'")
	openrc, second := bare(t, "openrc", openrcScript)
	inOrder(t, openrc,
		"/etc/yuanlu/yuanlu.toml written", "# rc-service yuanlu start", "started", "daemon of yuanlu", "read again", "left: 0")
	if first != second {
		t.Error("the same source gives two packages that differ")
	}
}
