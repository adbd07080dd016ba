package health

import (
	"fmt"

	"yuanlu/agent/config"
)

// LowDisk is the free space below which health warns, in bytes.
const LowDisk = 64 << 20

// SizeText returns a number of bytes in one unit.
func SizeText(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// makeRoom is the remedy for a disk that is almost full.
func makeRoom(where string) config.Text {
	return textf("make room: df -h %[1]s; sudo du -xh %[1]s | sort -h | tail; what may be deleted: old logs, captures/ and bundles/", "清理空间：df -h %[1]s；sudo du -xh %[1]s | sort -h | tail；可删除：旧日志、captures/、bundles/", where)
}

func diskProblems(p *problems, s *Snapshot, c *config.Config) {
	if !s.StoreFull && (s.DiskFree < 0 || s.DiskFree >= LowDisk) {
		return
	}
	text := both("the disk is almost full", "磁盘空间不足")
	if s.StoreFull {
		text = both("the disk is full", "磁盘已满")
	}
	p.add(Degraded, "disk_low", "", text, makeRoom(c.Store.Dir))
}

func lookAtDisk(e *Examination) {
	if e.problems("disk_") {
		return
	}
	free := both("free space unknown", "剩余空间未知")
	if n := e.Snapshot.DiskFree; n >= 0 {
		free = textf("%d MiB free", "剩余 %d MiB", n>>20)
	}
	e.fine(both("disk", "磁盘"), textf("%s: %s", "%s：%s", e.Config.Store.Dir, free))
}
