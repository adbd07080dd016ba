package checkup

import (
	"time"
)

// Store is the desk's store.
type Store struct {
	Place        string
	Err          error // why it cannot be opened
	Missing      bool  // there is none yet
	Kind         string
	Version      int // of its schema
	Want         int // of this program's
	SoundErr     error
	Exposed      bool  // everybody may read the file
	Bytes        int64 // on the disk
	Free, Room   int64 // of its disk; Room 0: the disk is elsewhere
	JournalErr   error
	Cases        int
	Due          time.Time // of what happens by itself next
	FilesErr     error
	FilesRight   int
	Amiss        []string // cases with files that are not as they were filed
	Gaps         int64    // streams that lack something
	OldestGap    time.Time
	Quarantined  int64
	Unsent       int64     // notifications that wait
	UnsentSince  time.Time // the oldest of them
	UnsentReason string    // of the last try
	Log          Log       // the desk's own evidence log
	Examined     bool      // all of the above was looked at: its schema is this program's
}

// Log is the desk's own evidence log (evidence.md § 4).
type Log struct {
	Origin      string // "": there is none
	Size        int64
	Stamps      bool // the desk is to have it stamped
	StampedSize int64
	Stamped     time.Time // zero: never
	Alarms      int64     // about logs of terminals
}

// Bounds of the store.
const (
	diskLow   = 1 << 30
	diskOut   = 100 << 20
	gapLong   = time.Hour
	dueLate   = 5 * time.Minute
	noteLate  = time.Hour
	stampLate = 26 * time.Hour // one is due each day
	megabytes = 1 << 20
)

func (m *maker) store(s *Store) {
	name := [2]string{"store", "存储"}
	switch {
	case s.Missing:
		m.add(Error, name, [2]string{"%s: there is no store yet; the first start of the desk makes it", "%s：尚无数据库；后台首次启动时创建"}, same("sudo systemctl enable --now yuanlu-desk"), s.Place)
		return
	case s.Err != nil:
		m.add(Error, name, [2]string{"%s: %v", "%s：%v"}, [2]string{"check --store and the rights of this user; PostgreSQL: systemctl status postgresql", "检查 --store 与当前用户权限；PostgreSQL：systemctl status postgresql"}, s.Place, s.Err)
		return
	case s.Version < s.Want:
		m.add(Warning, name, [2]string{"schema version %d; the next start brings it to %d, which an older desk cannot read", "结构版本 %d；下次启动升级到 %d，旧版后台将无法读取"}, same("yuanlu-desk backup before-upgrade.backup --store %s", s.Place), s.Version, s.Want)
	default:
		m.fine(name, [2]string{"%s, schema version %d, %d MiB", "%s，结构版本 %d，%d MiB"}, s.Kind, s.Version, s.Bytes/megabytes)
	}
	if s.SoundErr != nil {
		m.add(Error, name, [2]string{"the database is damaged: %v", "数据库已损坏：%v"}, same("sudo systemctl stop yuanlu-desk; mv %s %s.damaged; yuanlu-desk restore LAST-BACKUP --store %s", s.Place, s.Place, s.Place), s.SoundErr)
	}
	if s.Exposed {
		m.add(Warning, name, [2]string{"others on this machine may read the store", "本机其他用户可读取数据库"}, same("sudo chmod 0600 %s", s.Place))
	}
	m.disk(s)
	if s.Examined {
		m.journals(s)
		m.filed(s)
		m.backlog(s)
		m.log(s)
	}
}

func (m *maker) disk(s *Store) {
	name := [2]string{"disk", "磁盘"}
	switch {
	case s.Room == 0:
	case s.Free < diskOut:
		m.add(Error, name, [2]string{"%d MiB are free: what terminals report is soon stored no more", "剩余 %d MiB：即将无法存储终端上报"}, same("df -h %s; sudo journalctl --vacuum-size=100M", s.Place), s.Free/megabytes)
	case s.Free < diskLow, s.Free < s.Bytes:
		m.add(Warning, name, [2]string{"%d MiB are free; a backup needs about as much as the store, %d MiB", "剩余 %d MiB；备份约需与数据库同样的空间，%d MiB"}, same("df -h %s", s.Place), s.Free/megabytes, s.Bytes/megabytes)
	default:
		m.fine(name, [2]string{"%d of %d MiB are free", "剩余 %d / %d MiB"}, s.Free/megabytes, s.Room/megabytes)
	}
}

func (m *maker) journals(s *Store) {
	name := [2]string{"journals", "案件日志"}
	if s.JournalErr != nil {
		m.add(Error, name, [2]string{"%v: somebody or something changed the store", "%v：数据库内容被改动"}, same("yuanlu-desk restore --check LAST-BACKUP"), s.JournalErr)
		return
	}
	m.fine(name, [2]string{"%d cases, each event continues the one before it", "案件 %d 件，事件首尾相接"}, s.Cases)
	if late := m.now.Sub(s.Due); !s.Due.IsZero() && late > dueLate {
		m.add(Error, [2]string{"deadlines", "期限"}, [2]string{"what was due on %s has not happened: no desk runs on this store, or it cannot write", "%s 应发生之事尚未发生：没有后台在此数据库上运行，或无法写入"},
			same("systemctl status yuanlu-desk; journalctl -u yuanlu-desk -g work.tick -n 5"), s.Due.Format(time.RFC3339))
	} else {
		m.fine([2]string{"deadlines", "期限"}, [2]string{"nothing is overdue that the desk does by itself", "自动事项无积压"})
	}
}

func (m *maker) filed(s *Store) {
	name := [2]string{"files", "文件"}
	if s.FilesErr != nil {
		m.add(Error, name, [2]string{"%v", "%v"}, same("yuanlu-desk restore --check LAST-BACKUP"), s.FilesErr)
		return
	}
	for _, no := range s.Amiss {
		m.add(Error, name, [2]string{"case %s: a file is missing, or is not the one that was filed", "案件 %s：文件缺失或已被改动"}, same("yuanlu-desk restore LAST-BACKUP --store /tmp/before.db"), no)
	}
	if len(s.Amiss) == 0 {
		m.fine(name, [2]string{"%d files, every hash right", "文件 %d 个，哈希全部正确"}, s.FilesRight)
	}
}

func (m *maker) backlog(s *Store) {
	name := [2]string{"backlog", "积压"}
	before := len(m.list)
	if long := m.now.Sub(s.OldestGap); s.Gaps > 0 && !s.OldestGap.IsZero() && long > gapLong {
		m.add(Warning, name, [2]string{"%d streams of terminals lack events, one since %s", "%d 条终端事件流有缺失，最早自 %s"}, same("yuanlu-desk gaps list --store %s", s.Place), s.Gaps, s.OldestGap.Format(time.RFC3339))
	}
	if s.Quarantined > 0 {
		m.add(Warning, name, [2]string{"%d messages were refused and wait for somebody to look", "%d 条报文被隔离，待人工查看"}, same("yuanlu-desk quarantine list --store %s", s.Place), s.Quarantined)
	}
	if long := m.now.Sub(s.UnsentSince); s.Unsent > 0 && long > noteLate {
		m.add(Warning, name, [2]string{"%d notifications wait, the oldest since %s: %s", "%d 条通知待发，最早自 %s：%s"}, same("journalctl -u yuanlu-desk -g notify -n 5"), s.Unsent, s.UnsentSince.Format(time.RFC3339), s.UnsentReason)
	}
	m.well(before, name, [2]string{"nothing waits", "无积压"})
}

// log tells how the desk's evidence log is.
func (m *maker) log(s *Store) {
	l, name, before := &s.Log, [2]string{"evidence log", "证据日志"}, len(m.list)
	if l.Alarms > 0 {
		m.add(Error, name, [2]string{"%d alarms about evidence logs of terminals", "终端证据日志告警 %d 条"}, same("yuanlu-desk evidence alarms --store %s", s.Place), l.Alarms)
	}
	switch {
	case l.Origin == "":
		m.well(before, name, [2]string{"none: without --cosign-key no evidence pack can be made", "无：未配置 --cosign-key，不能生成证据包"})
		return
	case l.Stamps && l.Size > l.StampedSize && m.now.Sub(l.Stamped) > stampLate:
		when := [2]string{"never", "从未"}
		if !l.Stamped.IsZero() {
			when = same("%s", l.Stamped.Format(time.RFC3339))
		}
		m.add(Warning, name, [2]string{"%d leaves, stamped last: %s; the time stamping authority does not answer", "%d 条，上次加盖时间戳：%s；时间戳服务无应答"}, same("journalctl -u yuanlu-desk -g evidence.stamp -n 5"), l.Size, m.t(when[0], when[1]))
	}
	switch {
	case l.Stamped.IsZero():
		m.well(before, name, [2]string{"%s, %d leaves, not stamped", "%s，%d 条，未加盖时间戳"}, l.Origin, l.Size)
	default:
		m.well(before, name, [2]string{"%s, %d leaves, %d of them stamped on %s", "%s，%d 条，其中 %d 条已于 %s 加盖时间戳"}, l.Origin, l.Size, l.StampedSize, l.Stamped.Format(time.RFC3339))
	}
}
