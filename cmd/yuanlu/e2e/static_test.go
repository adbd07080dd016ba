package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The static build has no USB library. A configuration with a USB port is no reason
// not to start: check, log, status and doctor say what the link lacks, and the
// other link is served.
func TestE2EStaticBuildSaysThatUSBIsMissing(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "yuanlu-static")
	build := exec.Command("go", "build", "-tags", "nousb", "-o", bin, "yuanlu/cmd/yuanlu")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	fw := newFirmware(t, "e-sign", 35)
	st := newStation(t, settings{port: fw.link, extra: "[[link]]\nname = \"smart\"\nwire = \"smart\"\nport = \"usb:1209:5053\"\n"})
	st.bin = bin
	const why = "built without USB support"
	out, err := st.command("config", "check").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "link smart: usb:1209:5053") || !strings.Contains(string(out), why) {
		t.Errorf("config check: %v: %s", err, out)
	}
	if out := st.out("config", "check", "--json"); !strings.Contains(out, why) {
		t.Errorf("config check --json: %s", out)
	}
	out, err = st.command("doctor").CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 5 || !strings.Contains(string(out), why) {
		t.Errorf("doctor: %v: %s", err, out)
	}
	st.startOnline()
	fw.day(20, time.Millisecond)
	eventually(t, 20*time.Second, "the other link's records", func() bool { return whole(t, st.store, fw.entries) })
	if !strings.Contains(st.log.String(), why) {
		t.Errorf("the log does not say why the link is dead:\n%s", st.log.tail(20))
	}
	if out := st.out("status"); !strings.Contains(out, "no permission") && !strings.Contains(out, "may not be used") || !strings.Contains(out, why) {
		t.Errorf("status: %s", out)
	}
	st.stop()
}
