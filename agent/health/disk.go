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

func diskProblems(p *problems, s *Snapshot, _ *config.Config) {
	if !s.StoreFull && (s.DiskFree < 0 || s.DiskFree >= LowDisk) {
		return
	}
	text := both("the disk is almost full", "磁盘空间不足")
	if s.StoreFull {
		text = both("the disk is full", "磁盘已满")
	}
	p.add(Degraded, "disk_low", "", text, both("make room where store.dir lies", "清理 store.dir 所在分区"))
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
