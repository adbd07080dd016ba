package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"yuanlu/drivers/usblab"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/usbip"
	"yuanlu/firmware-sim/wire"
)

const devicesConfig = `
[terminal]
id = "t-lab"
merchant_id = "898000000000001"
[store]
dir = %q
[[link]]
name = "smart"
wire = "smart"
port = "usb:1209:5053"
[mqtt]
url = "tcp://127.0.0.1:1"
[case]
pending_grace = "1s"
`

// TestLabDevices: one agent in a machine with real USB, and all sorts of devices: the
// simulator as a technician starts it, attached by Debian's own program; a device that
// the user may not open; a line with parity; and rogues, which never hang or end the
// agent and are each logged in one line.
func TestLabDevices(t *testing.T) {
	kernel := labKernel(t)
	more := map[string]string{}
	tool, toolErr := usblab.Tool(t.Context(), "usbip", "/usr/sbin/usbip")
	if toolErr == nil {
		more["/usr/sbin/usbip"] = tool
	}
	udev, udevErr := usblab.Tool(t.Context(), "udev", "/usr/bin/udevadm", "/bin/udevadm")
	if udevErr == nil { // one program that is the daemon under another name
		more["/bin/udevadm"], more["/lib/systemd/systemd-udevd"] = udev, udev
		more["/etc/udev/rules.d/70-yuanlu.rules"] = "../package/70-yuanlu.rules"
	}
	b := newLabBench(t)
	guestEnded := b.boot(kernel, fmt.Sprintf(devicesConfig, guestStore), more, 7*time.Minute)
	server, err := usbip.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &deviceBench{labBench: b, server: server}
	eventually(t, time.Minute, "the agent", func() bool { return len(d.status().Links) == 1 })
	t.Run("as the simulator prints", func(t *testing.T) { d.asPrinted(t, toolErr) })
	t.Run("no permission", d.noPermission)
	t.Run("probe finds the parity", d.parity)
	for _, r := range rogues() {
		t.Run(r.name, func(t *testing.T) { d.meet(t, r) })
	}
	t.Run("other descriptors after a re-plug", d.changed)
	t.Run("two of one name", d.twins)
	t.Run("not authorized", d.unauthorized)
	t.Run("udev rules", func(t *testing.T) {
		if udevErr != nil {
			t.Skip(udevErr)
		}
		d.rules(t)
	})
	t.Run("an honest one after all", d.honest)
	b.task("stop")
	result := <-guestEnded
	if result.err != nil || result.Exit != 0 || t.Failed() {
		t.Errorf("guest: exit %d, %v, console:\n%s\nlog of the agent:\n%s", result.Exit, result.err, result.Output, b.handed("log"))
	}
	if n := strings.Count(string(b.handed("log")), "agent.ready"); n != 1 {
		t.Errorf("the agent started %d times", n)
	}
	t.Logf("%v in the guest", result.Took.Round(time.Second))
}

// deviceBench plugs devices of this machine into the guest.
type deviceBench struct {
	*labBench
	server *usbip.Server
	plugs  int
}

// plug makes a device with a serial number of its own, unless it has one, and has the
// guest attach it.
func (d *deviceBench) plug(t *testing.T, cfg usbip.Config, faults usbip.Faults) *usbip.Device {
	t.Helper()
	if d.plugs++; cfg.Serial == "" {
		cfg.Serial = fmt.Sprint("LAB-", d.plugs)
	}
	device, err := usbip.NewDevice(cfg)
	if err != nil {
		t.Fatal(err)
	}
	device.SetFaults(faults)
	bus, err := d.server.Plug(device)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = device.Close() })
	_, port, _ := strings.Cut(d.server.Addr(), ":")
	d.task("attach 10.0.2.2:" + port + " " + bus)
	return device
}

// says waits until the link is in a state for a reason, and returns the reason.
func (d *deviceBench) says(t *testing.T, state, why string) string {
	t.Helper()
	last := ""
	ok := waitFor(time.Minute, func() bool {
		l := d.status().Links[0]
		last = l.State + ": " + l.Reason
		return l.State == state && strings.Contains(l.Reason, why)
	})
	if !ok {
		t.Errorf("the agent says %q, want %s with %q", last, state, why)
	}
	return last
}

// scriptOfDay is what the simulator plays: one refund goes to somebody else.
const scriptOfDay = `{"do":"sale","as":"a","by":"ann","pay":"chip","amount":1000}
{"do":"sale","as":"b","by":"bob","pay":"wechat","amount":2000}
{"do":"sale","as":"c","by":"cat","pay":"alipay","amount":3000}
{"do":"refund","of":"a","to":"stranger","amount":400}
{"do":"refund","of":"b","amount":500}
{"do":"refund","of":"c","amount":600}
`

// asPrinted attaches exactly what firmware-sim prints, and compares what the agent has
// then with what the simulator says it did.
func (d *deviceBench) asPrinted(t *testing.T, toolErr error) {
	script := filepath.Join(t.TempDir(), "day.jsonl")
	if err := os.WriteFile(script, []byte(scriptOfDay), 0o600); err != nil {
		t.Fatal(err)
	}
	sim := exec.CommandContext(t.Context(), built(t, "firmware-sim"), "run", "--terminal", "smart", "--link", "usbip:127.0.0.1:0",
		"--scenario", script, "--speed", "0", "--journal", filepath.Join(t.TempDir(), "journal"))
	out, err := sim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	place := regexp.MustCompile(`^usbip 127\.0\.0\.1:(\d+) busid (\S+)$`).FindStringSubmatch(lines.Text())
	if place == nil {
		t.Fatalf("firmware-sim prints %q", lines.Text())
	}
	if toolErr == nil {
		if out := d.shell("usbip --tcp-port " + place[1] + " attach -r 10.0.2.2 -b " + place[2]); strings.Contains(out, "exit status") {
			t.Fatalf("usbip: %s", out)
		}
	} else {
		t.Logf("not by Debian's program: %v", toolErr)
		d.task("attach 10.0.2.2:" + place[1] + " " + place[2])
	}
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if err := sim.Wait(); err != nil {
		t.Fatal(err)
	}
	var entries, wrong, right, cannot int
	if n, err := fmt.Sscanf(last, "%d transactions; refunds and voids: %d wrong, %d right, %d cannot tell", &entries, &wrong, &right, &cannot); n != 4 || err != nil {
		t.Fatalf("firmware-sim ends with %q", last)
	}
	s := d.status()
	if s.Counts.Records != int64(entries) || s.Counts.Cases != int64(wrong) || wrong != 1 {
		t.Errorf("%d records and %d cases, the simulator: %s", s.Counts.Records, s.Counts.Cases, last)
	}
	t.Logf("%s; the agent: %d records, %d cases", last, s.Counts.Records, s.Counts.Cases)
	t.Log(d.says(t, "absent", ""))
}

// noPermission: a user who may not open the device reads of the udev rule.
func (d *deviceBench) noPermission(t *testing.T) {
	device := d.plug(t, usbip.Config{ProductID: 0x5055}, usbip.Faults{})
	if err := device.Attached(t.Context()); err != nil {
		t.Fatal(err)
	}
	const name = "usb:1209:5055"
	eventually(t, time.Minute, "the device", func() bool { return strings.Contains(d.verb("links list"), name) })
	d.shell("echo 'clerk:x:1000:1000:clerk:/tmp:/bin/sh' >> /etc/passwd; echo 'clerk:x:1000:' >> /etc/group")
	out := d.shell(`su clerk -c "yuanlu links probe ` + name + ` --for 5s --lang en"`)
	if !strings.Contains(out, "no permission") || !strings.Contains(out, "70-yuanlu.rules") || !strings.Contains(out, "exit status 77") {
		t.Errorf("as a user without the right: %s", out)
	}
	t.Log(strings.TrimSpace(out))
	if out := d.shell("su clerk -c 'yuanlu links list --lang en --config /dev/null'"); !strings.Contains(out, "70-yuanlu.rules") {
		t.Errorf("links list without the right: %s", out)
	}
}

// parity: a terminal that speaks 9600 8E1 is found, over a real modem driver; at any
// other setting of the line its bytes are garbage.
func (d *deviceBench) parity(t *testing.T) {
	device := d.plug(t, usbip.Config{Kind: usbip.ACM}, usbip.Faults{})
	said := mispos(t)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.Tick(100 * time.Millisecond); ; {
			select {
			case <-end:
				return
			case <-tick:
			}
			const even = 2
			baud, bits, open := device.Line()
			if !open {
				continue // what is said then is lost
			}
			text := wire.Garble(said)
			if baud == 9600 && bits == 8 && device.Parity() == even {
				text = said
			}
			if _, err := device.Write(text); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(end)
		_ = device.Close()
		<-ended
	})
	name := fmt.Sprintf("usb-Yuanlu_Simulated_e-sign_POS_LAB-%d-if00", d.plugs)
	eventually(t, time.Minute, "the modem", func() bool { return strings.Contains(d.verb("links list"), name) })
	out := d.shell("yuanlu links probe " + name + " --json --for 50s")
	var found struct {
		Wire    string `json:"wire"`
		Baud    int    `json:"baud"`
		Parity  string `json:"parity"`
		Framing string `json:"framing"`
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || found.Wire != "mispos" || found.Baud != 9600 || found.Parity != "even" || found.Framing != "8E1" {
		t.Errorf("%v: %s", err, out)
	}
}

// mispos returns the first frame of an e-sign terminal's day.
func mispos(t *testing.T) []byte {
	t.Helper()
	term, err := terminal.New(terminal.Options{Model: "e-sign", Wire: "mispos", Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	speaker, err := terminal.NewSpeaker("e-sign", "mispos")
	if err != nil {
		t.Fatal(err)
	}
	es, err := term.Next()
	if err != nil {
		t.Fatal(err)
	}
	frames, err := speaker.Frames(&es[0])
	if err != nil {
		t.Fatal(err)
	}
	return frames[len(frames)-1].Bytes
}

// honest plugs a terminal in that shakes hands, and waits for the agent's answer.
func (d *deviceBench) honest(t *testing.T) {
	d.shakes(t, d.plug(t, usbip.Config{}, usbip.Faults{}))
	t.Log(d.says(t, "online", ""))
}

// shakes has a device shake hands until the agent answers.
func (d *deviceBench) shakes(t *testing.T, device *usbip.Device) {
	t.Helper()
	hello, err := wire.AppendSmart(nil, wire.SmartHandshake, 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	answered := func() bool {
		if _, err := device.Write(hello); err != nil {
			t.Errorf("the device: %v", err)
			return true
		}
		if err := device.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		n, err := device.Read(make([]byte, 64))
		return n > 0 && err == nil
	}
	if !waitFor(time.Minute, answered) {
		t.Error("the agent answers no handshake")
	}
}

// changed: one serial number, first a terminal, then a keyboard, then a terminal.
func (d *deviceBench) changed(t *testing.T) {
	const serial = "CHANGES"
	first := d.plug(t, usbip.Config{Serial: serial}, usbip.Faults{})
	d.shakes(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := d.plug(t, usbip.Config{Serial: serial, Rewrite: func(c []byte) []byte {
		copy(c[14:], []byte{3, 1, 1}) // class, subclass, protocol of a keyboard
		return c
	}}, usbip.Faults{})
	t.Log(d.says(t, "absent", "no interface of class ff"))
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	d.shakes(t, d.plug(t, usbip.Config{Serial: serial}, usbip.Faults{}))
}

// twins: two devices that the name does not tell apart; when one goes, the other is it.
func (d *deviceBench) twins(t *testing.T) {
	a := d.plug(t, usbip.Config{}, usbip.Faults{})
	d.shakes(t, a)
	b := d.plug(t, usbip.Config{}, usbip.Faults{})
	if err := b.Attached(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.says(t, "online", "") // the one that is open stays so
	c := d.plug(t, usbip.Config{}, usbip.Faults{})
	if err := errors.Join(c.Attached(t.Context()), a.Close()); err != nil {
		t.Fatal(err)
	}
	t.Log(d.says(t, "absent", "add the serial number"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	d.shakes(t, b)
}

// unauthorized: a device that the kernel is set to keep off is not opened.
func (d *deviceBench) unauthorized(t *testing.T) {
	d.shell("for h in /sys/bus/usb/devices/usb*; do echo 0 > $h/authorized_default; done")
	defer d.shell("for h in /sys/bus/usb/devices/usb*; do echo 1 > $h/authorized_default; done")
	device := d.plug(t, usbip.Config{Serial: "LOCKED"}, usbip.Faults{})
	t.Log(d.says(t, "absent", "echo 1 > /sys/"))
	d.shell(`for s in /sys/bus/usb/devices/*; do [ "$(cat $s/authorized 2>/dev/null)" = 0 ] && echo 1 > $s/authorized; done`)
	d.shakes(t, device)
}

// rules: with the rules of the package udev assigns the devices to the daemon's group,
// makes the names by role, and tells ModemManager to keep off.
func (d *deviceBench) rules(t *testing.T) {
	d.shell("echo 'yuanlu:x:990:' >> /etc/group; mkdir -p /run/udev")
	if out := d.shell("/lib/systemd/systemd-udevd --daemon 2>&1"); strings.Contains(out, "exit status") {
		t.Fatalf("udevd: %s", out)
	}
	defer d.shell("udevadm control --exit")
	smart := d.plug(t, usbip.Config{}, usbip.Faults{})
	modem := d.plug(t, usbip.Config{Kind: usbip.ACM}, usbip.Faults{})
	if err := errors.Join(smart.Attached(t.Context()), modem.Attached(t.Context())); err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]string{"smart": "ID_MM_DEVICE_IGNORE=1", "pos": "ID_MM_PORT_IGNORE=1"} {
		node := "/dev/yuanlu/" + role
		var out string
		ok := waitFor(time.Minute, func() bool {
			out = d.shell("udevadm settle; ls -lLn " + node + " && udevadm info " + node)
			return strings.Contains(out, want)
		})
		if !ok || !strings.HasPrefix(out, "crw-rw----") || !strings.Contains(strings.Join(strings.Fields(out)[:4], " "), " 990") {
			t.Errorf("%s: %s", node, out)
		}
	}
	if err := errors.Join(smart.Close(), modem.Close()); err != nil {
		t.Error(err)
	}
}
