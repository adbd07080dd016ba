package usblab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"yuanlu/firmware-sim/usbip"
)

// TestLab boots a guest that runs this same program: its tests called TestGuest…
// are the lab's work. See the package comment for YUANLU_USBLAB.
func TestLab(t *testing.T) {
	mode := os.Getenv("YUANLU_USBLAB")
	if mode != "1" && mode != "auto" {
		t.Skip("set YUANLU_USBLAB=1 (must run) or auto (if it can)")
	}
	kernel, err := Prepare(t.Context())
	if err != nil {
		if mode == "auto" && errors.Is(err, ErrUnavailable) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	server, device := echoDevice(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(server.Addr(), ":")
	result, err := Boot(t.Context(), kernel, Options{
		Files: map[string]string{"/bin/lab": self},
		Script: fmt.Sprintf("YUANLU_USBLAB=guest YUANLU_LAB_SERVER=10.0.2.2:%s /bin/lab -test.v -test.timeout 400s -test.run '^TestGuest%s'",
			port, os.Getenv("YUANLU_USBLAB_RUN")),
		Timeout: 7 * time.Minute, // 90 s on a machine that has nothing else to do
	})
	t.Logf("%v, exit %d\n%s", result.Took, result.Exit, result.Output)
	if err != nil {
		t.Fatal(err)
	}
	if result.Exit != 0 {
		t.Errorf("the guest's tests ended with status %d", result.Exit)
	}
	if !strings.Contains(result.Output, "--- PASS: TestGuest") {
		t.Error("the guest ran no test")
	}
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}

// echoDevice serves a terminal on this machine that returns what it gets, and
// pulls its own plug when it gets "bye".
func echoDevice(t *testing.T) (*usbip.Server, *usbip.Device) {
	t.Helper()
	server, err := usbip.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	device, err := usbip.NewDevice(usbip.Config{Serial: "HOST"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Plug(device); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 4096); ; {
			n, err := device.Read(buf)
			if err != nil {
				return
			}
			if string(buf[:n]) == "bye" {
				_ = device.Close()
				return
			}
			if _, err := device.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return server, device
}

// What cannot be had is named, with the package that has it.
func TestPrepareSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("YUANLU_LAB_CACHE", t.TempDir())
	if _, err := Prepare(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "apt-get install") {
		t.Errorf("Prepare: %v", err)
	}
}

// A file system that the kernel is to unpack must be one that cpio unpacks.
func TestInitramfs(t *testing.T) {
	if _, err := exec.LookPath("busybox"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	module := dir + "/some.ko"
	if err := os.WriteFile(module, []byte("module"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := dir + "/initrd"
	err := writeInitramfs(t.Context(), out, Kernel{Modules: []string{module}}, Options{
		Script: "true\n", Files: map[string]string{"/etc/deep/file": module},
	})
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	cmd := exec.Command("busybox", "cpio", "-idm")
	cmd.Stdin, cmd.Dir = image, t.TempDir()
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v: %s", err, b)
	}
	for name, want := range map[string]string{
		"lab/script": "true\n", "etc/deep/file": "module", "lab/modules/00-some.ko": "module",
		"lab/modules.order": "/lab/modules/00-some.ko\n",
	} {
		t.Run(name, func(t *testing.T) {
			if b, err := os.ReadFile(cmd.Dir + "/" + name); err != nil || string(b) != want {
				t.Errorf("%s: %q, %v", name, b, err)
			}
		})
	}
	if target, err := os.Readlink(cmd.Dir + "/bin/sh"); target != "busybox" {
		t.Errorf("bin/sh leads to %q, %v", target, err)
	}
}

func TestConsole(t *testing.T) {
	tests := map[string]struct {
		console string
		exit    int
		ended   bool
	}{
		"good":         {"usblab: booted\r\nhello\r\nusblab: exit 0\r\n", 0, true},
		"failed":       {"usblab: exit 3\n[  2.1] reboot: Restarting system\n", 3, true},
		"cut":          {"hello\nusblab: ex", 0, false},
		"not a status": {"usblab: exit soon\n", 0, false},
	}
	for name, tt := range tests {
		r, ended := follow(strings.NewReader(tt.console), io.Discard)
		if r.Exit != tt.exit || ended != tt.ended || r.Output != strings.ReplaceAll(tt.console, "\r", "") {
			t.Errorf("%s: %+v, %v", name, r, ended)
		}
	}
}

// deadline for steps of the guest's tests, on an emulated processor.
const step = 20 * time.Second
