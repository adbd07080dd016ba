package usblab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	qemu           = "qemu-system-x86_64"
	defaultTimeout = 3 * time.Minute
	defaultMemory  = 512
)

// Options are what runs in a guest.
type Options struct {
	// Files maps absolute paths in the guest to files of this machine. All are
	// executable there; shared libraries that programs need come along.
	Files map[string]string
	// Script is run by the guest's sh as root in /tmp when the guest is up. Its exit
	// status is Boot's Result.Exit; then the guest ends.
	Script string
	// Timeout ends a guest that does not end itself. 0: 3 minutes.
	Timeout time.Duration
	// Memory in MiB. 0: 512.
	Memory int
	// Output gets the guest's console while it runs, beside Result; may be nil.
	Output io.Writer
}

// A Result is what a guest left behind.
type Result struct {
	Output string        // the whole console
	Exit   int           // exit status of the script
	Took   time.Duration // from the start of the machine to its end
}

// Boot runs one guest to its end. It fails if the guest did not reach the end of
// its script in time; Result then has the console so far. Guests may run beside
// one another.
func Boot(ctx context.Context, k Kernel, o Options) (Result, error) {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	dir, err := os.MkdirTemp("", "usblab-")
	if err != nil {
		return Result{}, fmt.Errorf("usblab: %w", err)
	}
	defer os.RemoveAll(dir)
	initrd := filepath.Join(dir, "initrd")
	if err := writeInitramfs(ctx, initrd, k, o); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, qemu,
		"-accel", "tcg", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-m", strconv.Itoa(o.Memory), "-kernel", k.Image, "-initrd", initrd,
		"-append", "console=ttyS0 quiet panic=-1 rdinit=/init",
		"-nic", "user,model=virtio-net-pci", "-serial", "stdio", "-monitor", "none")
	cmd.WaitDelay = 5 * time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	console, err := cmd.StdoutPipe()
	if err != nil {
		return Result{}, fmt.Errorf("usblab: %w", err)
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return Result{}, fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	result, ended := follow(console, o.Output)
	err = cmd.Wait()
	result.Took = time.Since(begin)
	switch {
	case ended:
		return result, nil
	case ctx.Err() != nil:
		return result, fmt.Errorf("usblab: the guest did not end within %v: %w", o.Timeout, ctx.Err())
	}
	return result, errors.Join(fmt.Errorf("usblab: the guest ended before its script did: %s", strings.TrimSpace(stderr.String())), err)
}

// follow reads the console to its end and finds the exit status in it.
func follow(console io.Reader, copyTo io.Writer) (result Result, ended bool) {
	const marker = "usblab: exit "
	var all strings.Builder
	for r := bufio.NewReader(console); ; {
		line, err := r.ReadString('\n')
		line = strings.ReplaceAll(line, "\r", "")
		all.WriteString(line)
		if copyTo != nil {
			_, _ = io.WriteString(copyTo, line) // the copy is for the eye
		}
		if status, ok := strings.CutPrefix(strings.TrimSpace(line), marker); ok {
			if n, err := strconv.Atoi(status); err == nil {
				result.Exit, ended = n, true
			}
		}
		if err != nil {
			result.Output = all.String()
			return result, ended
		}
	}
}
