package machine

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mostMessages is how many messages of the kernel are returned, the newest.
const mostMessages = 200

// aboutPorts are words of messages about ports, disks and memory.
func aboutPorts() []string {
	return []string{"tty", "usb", "serial", "uart", "cdc_acm", "ftdi", "ch34", "cp210", "pl2303", "overrun", "i/o error", "ext4", "mmc", "nvme",
		"remount", "out of memory", "oom", "killed process", "hung_task", "under-voltage"}
}

// KernelMessages returns the messages of the kernel that are about ports, the disk and
// memory, or that name one of the given devices. Errors: fs.ErrPermission, where the kernel
// keeps them for root (kernel.dmesg_restrict).
func KernelMessages(devices []string) ([]string, error) {
	size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
	if err != nil || size <= 0 {
		size = 1 << 20
	}
	buffer := make([]byte, min(size, 8<<20))
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buffer)
	if err != nil {
		return nil, fmt.Errorf("messages of the kernel: %w; sudo yuanlu support-bundle may read them", err)
	}
	about := aboutPorts()
	for _, d := range devices {
		if d = strings.ToLower(filepath.Base(d)); len(d) > 2 {
			about = append(about, d)
		}
	}
	found := []string{}
	for line := range strings.Lines(string(buffer[:n])) {
		low := strings.ToLower(line)
		for _, w := range about {
			if strings.Contains(low, w) {
				found = append(found, strings.TrimSuffix(line, "\n"))
				break
			}
		}
	}
	return found[max(0, len(found)-mostMessages):], nil
}
