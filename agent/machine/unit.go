package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// ErrNoSystemd: the machine was not started by systemd, so that there is no unit.
var ErrNoSystemd = errors.New("systemd does not run here")

// UnitState returns what systemd knows of the unit: its state, its last exit, its limits.
func UnitState(ctx context.Context, unit string) ([]byte, error) {
	return systemd(ctx, "systemctl", "show", "--no-pager", unit,
		"-p", "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainPID,ExecMainCode,ExecMainStatus,ExecMainStartTimestamp,ExecMainExitTimestamp,NRestarts,"+
			"StatusText,FragmentPath,DropInPaths,User,Restart,WatchdogUSec,WatchdogTimestamp,MemoryCurrent,MemoryMax,CPUUsageNSec,TasksCurrent,NeedDaemonReload")
}

// UnitJournal returns the last lines that the unit has written to the journal, with what
// systemd wrote about it.
func UnitJournal(ctx context.Context, unit string, lines int) ([]byte, error) {
	return systemd(ctx, "journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", fmt.Sprint(lines), "-u", unit)
}

func systemd(ctx context.Context, name string, args ...string) ([]byte, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil, ErrNoSystemd
	}
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "SYSTEMD_COLORS=0")
	out, err := c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%s: %w: %.200s", name, err, strings.TrimRight(string(exit.Stderr), ".\n"))
	}
	if err != nil && os.Geteuid() != 0 {
		err = fmt.Errorf("%w; sudo yuanlu support-bundle may read it", err)
	}
	return out, err
}
