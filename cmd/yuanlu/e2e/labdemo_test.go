package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/drivers/usblab"
)

// labKernel returns the lab's kernel, or skips where the lab cannot or is not to run.
func labKernel(t *testing.T) usblab.Kernel {
	t.Helper()
	mode := os.Getenv("YUANLU_USBLAB")
	if mode != "1" && mode != "auto" {
		t.Skip("set YUANLU_USBLAB=1 (must run) or auto (if it can)")
	}
	kernel, err := usblab.Prepare(t.Context())
	if err != nil {
		if mode == "auto" && errors.Is(err, usblab.ErrUnavailable) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	return kernel
}

// built compiles a program of this module and returns its file.
func built(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", file, "yuanlu/cmd/"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

// soakOnly skips a test that is too long for every day.
func soakOnly(t *testing.T) {
	t.Helper()
	if os.Getenv("YUANLU_SOAK") == "" {
		t.Skip("YUANLU_SOAK=1 runs it (make soak)")
	}
}

// TestSoakDemoStandsStill: a machine that stands still in the middle of a frame, for
// longer than a real terminal ever does, makes the demo lose nothing.
func TestSoakDemoStandsStill(t *testing.T) {
	soakOnly(t)
	out, err := exec.Command(built(t, "firmware-sim"), "demo", "--agent", built(t, "yuanlu"), "--fault", "stall=0.02:800ms").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "stood still inside") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestLabDemo: where the kernel has USB, the demo's smart terminal is a real USB
// device that the agent reads over libusb, and cases and truth agree as they do over
// a pseudo terminal.
func TestLabDemo(t *testing.T) {
	soakOnly(t)
	kernel := labKernel(t)
	seed := os.Getenv("YUANLU_LAB_SEED")
	if seed == "" {
		seed = "1"
	}
	result, err := usblab.Boot(t.Context(), kernel, usblab.Options{
		Files: map[string]string{guestAgent: built(t, "yuanlu"), "/bin/firmware-sim": built(t, "firmware-sim")},
		Script: fmt.Sprintf(`firmware-sim demo --agent %s --seed %s --keep --limit 8m
status=$?
[ $status = 0 ] && exit 0
for d in /tmp/yuanlu-demo-*; do
	for f in $d/t-*/agent.log; do echo "== $f"; cat $f; done
	grep -h settlement $d/t-*/truth.jsonl
done
exit $status`, guestAgent, seed),
		Timeout: 10 * time.Minute,
	})
	if err != nil || result.Exit != 0 || testing.Verbose() {
		t.Logf("%v, exit %d\n%s", result.Took.Round(time.Second), result.Exit, result.Output)
	}
	if err != nil {
		t.Fatal(err)
	}
	if result.Exit != 0 {
		t.Errorf("the demo ended with status %d", result.Exit)
	}
	if want := "on usb:1209:5053:SIM-"; !strings.Contains(result.Output, want) {
		t.Errorf("the smart terminal is not %q…", want)
	}
}
