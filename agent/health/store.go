package health

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ledger"
)

// rolledBackFor is how long health reports a store that was put back from an old copy.
const rolledBackFor = 24 * time.Hour

// lookAtMount is the remedy where the disk does not answer as it should.
var lookAtMount = both("look at the disk and its mount (df, dmesg); the agent tries again by itself", "检查磁盘和挂载（df、dmesg）；程序会自动重试")

func storeProblems(p *problems, s *Snapshot, c *config.Config) {
	switch {
	case s.StoreFull:
		waiting := 0
		for _, l := range s.Links {
			waiting += l.Waiting
		}
		p.add(Failing, "store_unavailable", "", textf("the disk is full: %d messages wait in memory, nothing is stored", "磁盘已满：%d 条报文在内存中等待，未保存任何内容", waiting),
			textf("find what fills the disk (df -h %s, du -xsh /var/*); what may be deleted: old logs, captures/ and bundles/ in store.dir, core files; never yuanlu.db, yuanlu.db-wal or keys/. It is stored by itself as soon as there is room: do not restart before",
				"查找占满磁盘的内容（df -h %s、du -xsh /var/*）；可删除：旧日志、store.dir 下的 captures/ 和 bundles/、core 文件；切勿删除 yuanlu.db、yuanlu.db-wal、keys/。腾出空间后自动保存，此前请勿重启", c.Store.Dir))
	case s.StoreError != "":
		text, remedy := textf("nothing can be stored: %s", "无法保存记录：%s", s.StoreError), lookAtMount
		if s.StoreTrouble.Fault != NoFault {
			var why config.Text
			why, remedy = s.StoreTrouble.Words()
			text = textf("nothing can be stored: %s", "无法保存记录：%s", why)
		}
		p.add(Failing, "store_unavailable", "", text, remedy)
	}
	*p = append(*p, DamageProblems(s.Damage)...)
	if r := s.RolledBack; r != nil && s.At.Sub(r.When).Abs() < rolledBackFor {
		p.add(Degraded, "store_rolled_back", "",
			textf("the store was put back from an old copy: it knew of %d case events, but had given out %d; what was not acknowledged is sent again in a new stream",
				"存储是从旧副本恢复的：它只知道 %d 个案件事件，而实际已发出 %d 个；未确认的内容在新的流中重新发送", r.LastSeq, r.SeenSeq),
			both("records and cases that came after the copy are not on this terminal any more: look for them at the back office", "复制之后的记录和案件已不在本机：请到后台查找")).Since = r.When
	}
	switch o := s.Outbox; {
	case o.Unsequenced > 0:
		p.add(Failing, "outbox_full", "", both("the outbox is full; new cases are stored but not queued", "待发队列已满；新案件已保存但未排队"),
			both("let the back office acknowledge, put back what it refused; see delivery.max_bytes", "请后台确认接收，重新排队被拒收的案件；参见 delivery.max_bytes"))
	case o.LimitBytes > 0 && o.Bytes > o.LimitBytes/10*8:
		p.add(Degraded, "outbox_filling", "", both("the outbox is more than 80 % full", "待发队列已用超过 80%"),
			both("let the back office acknowledge, put back what it refused", "请后台确认接收，重新排队被拒收的案件"))
	}
	if s.Outbox.Quarantined > 0 {
		p.add(Note, "outbox_quarantine", "", both("events were refused by the back office; cases among them are kept and take room in the outbox", "部分事件被后台拒收；其中的案件会保留并占用待发队列空间"),
			both("yuanlu outbox list, then requeue", "运行 yuanlu outbox list，再 requeue"))
	}
}

// DamageProblems returns a problem for each thing of the store that was found damaged and
// still lies in quarantine/. Where all records were kept it is a note, else degraded:
// records are lost, or nothing was kept.
func DamageProblems(found []ledger.DamageNote) []Problem {
	var all problems
	for _, d := range found {
		level := Degraded
		if d.Whole() {
			level = Note
		}
		place := d.Moved
		if at := strings.LastIndex(place, "/quarantine/"); at >= 0 {
			place = place[at+1:]
		}
		why := reasonOfDamage(d.Why)
		text := textf("%s was damaged: in %s (%s)", "%s 已损坏：位于 %s（%s）", d.What, place, why)
		if d.OfRecords() {
			text = textf("%s was damaged: %d records kept, %d lost, in %s (%s)", "%s 已损坏：保留 %d 条记录，丢失 %d 条，位于 %s（%s）", d.What, d.Kept, d.Lost, place, why)
		}
		if d.Why == "missing" && strings.HasPrefix(d.What, "keys/") {
			all.add(level, "store_damaged", d.What,
				textf("%s was missing, a new key was made: cards seen before cannot be compared with those seen since", "%s 缺失，已生成新密钥：此前见过的卡无法与之后的比较", d.What),
				both("put the old keys/ back from a copy while the daemon is stopped; where there is none, move the folder quarantine/ out of store.dir: that ends this message",
					"停止守护进程后从备份恢复 keys/；若无备份，将 quarantine/ 目录移出 store.dir，本提示即消失")).Since = d.When
			continue
		}
		all.add(level, "store_damaged", d.What, text,
			both("check the disk (dmesg); send the folder quarantine/ to support, then move it out of store.dir: that ends this message",
				"检查磁盘（dmesg）；将 quarantine/ 目录交给技术支持，然后移出 store.dir，本提示即消失")).Since = d.When
	}
	return all
}

// reasonOfDamage is why something was found damaged. What SQLite says is quoted, since it is
// for the support desk, in SQLite's own words.
func reasonOfDamage(why string) config.Text {
	before, says, found := strings.Cut(why, ": *** in database main ***")
	if !found {
		return same(why)
	}
	return textf("%s: SQLite says %q", "%s：SQLite 报告 %q", same(before), strings.TrimSpace(says))
}

// OpenStore is what the daemon has found out about its open store.
type OpenStore struct {
	Took     time.Duration // of one durable write
	WriteErr error
	Facts    ledger.Facts // where it can be written
	ReadErr  error        // why there are none
}

// CheckWithin is how long the check of a store's pages may take.
const CheckWithin = 10 * time.Second

// Folder is what can be seen of a store that no daemon has open, without opening it.
type Folder struct {
	Trouble  StoreTrouble
	LockedBy int   // a process that has the store open, 0: none
	DiskFree int64 // bytes, -1: unknown
	Unopened bool  // the rest was looked at: no process has the store open
	Damage   []ledger.DamageNote
	Pages    int64 // that match their sums; 0 without PagesErr: there is no database
	PagesErr error // context.DeadlineExceeded: there was no time for all
}

func lookAtStore(e *Examination) {
	if f := e.m.Folder; f != nil {
		e.folder(f)
		return
	}
	name, bad := both("store", "数据库"), e.problems("store_", "outbox_")
	o := e.m.Store
	if o == nil {
		if !bad {
			e.add(Error, name, both("is not open", "未打开"), both("look at the log", "查看日志"))
		}
		return
	}
	if o.WriteErr == nil && e.Snapshot.StoreError != "" { // a small write finds room where a record does not
		o.WriteErr = errors.New(e.Snapshot.StoreError)
	}
	switch check := o.Facts.Check; {
	case o.WriteErr != nil:
		e.add(Error, name, textf("cannot be written: %v", "无法写入：%v", o.WriteErr), lookAtMount)
	case o.ReadErr != nil:
		e.add(Error, name, textf("cannot be read: %v", "无法读取：%v", o.ReadErr), lookAtMount)
	case check != ledger.CheckOK && check != ledger.NotChecked:
		e.add(Error, name, textf("is damaged: SQLite says %q", "已损坏：SQLite 报告 %q", check),
			both("restart the agent: it keeps what is readable and moves the rest to quarantine/; check the disk", "重启程序：可读部分保留，其余移至 quarantine/；检查磁盘"))
	default:
		checked := both("whole", "完整")
		if check == ledger.NotChecked {
			checked = textf("too large to be checked within %s", "过大，%s内未检查完", CheckWithin)
		}
		e.fine(name, textf("%s, %d MiB, schema %d; a durable write took %s", "%s，%d MiB，模式版本 %d；一次落盘写入用时 %s",
			checked, o.Facts.Bytes>>20, o.Facts.Schema, o.Took.Round(time.Millisecond/10)))
	}
}

// folder is lookAtStore where the store is not open.
func (e *Examination) folder(f *Folder) {
	name := both("store", "数据目录")
	switch text, remedy := f.Trouble.Words(); {
	case f.Trouble.Fault == NoWay:
		e.add(Note, name, text, remedy)
	case f.Trouble.Fault != NoFault:
		e.add(Error, name, text, remedy)
	case f.DiskFree >= 0 && f.DiskFree < LowDisk:
		e.add(Warning, name, textf("%s, %s free", "%s，剩余 %s", e.Config.Store.Dir, SizeText(f.DiskFree)), makeRoom(f.Trouble.Mount))
	default:
		e.fine(name, textf("%s, %s free", "%s，剩余 %s", e.Config.Store.Dir, SizeText(f.DiskFree)))
	}
	if f.LockedBy != 0 && !slices.ContainsFunc(e.m.Obstacles, func(o Obstacle) bool { return o.Fatal }) {
		e.add(Error, name, textf("it is open in process %[1]d, which cannot be asked", "已被进程 %[1]d 打开，但无法询问该进程", f.LockedBy),
			textf("see what it is: ps -o user,lstart,args -p %[1]d; where it is the daemon: sudo systemctl restart yuanlu", "查看：ps -o user,lstart,args -p %[1]d；若是守护进程：sudo systemctl restart yuanlu", f.LockedBy))
	}
	if !f.Unopened {
		return
	}
	for _, p := range DamageProblems(f.Damage) {
		e.add(Warning, same(p.Code), p.Text, p.Remedy)
	}
	name = both("database", "数据库")
	switch {
	case errors.Is(f.PagesErr, context.DeadlineExceeded):
		e.fine(name, textf("%d pages match, then the time was over", "%d 页校验一致，其余未在限时内检查", f.Pages))
	case f.PagesErr != nil:
		e.add(Error, name, same(f.PagesErr.Error()), both("start the daemon: it keeps what is readable and puts the rest aside in quarantine/; check the disk (dmesg)", "启动守护进程：可读部分保留，其余移至 quarantine/；检查磁盘（dmesg）"))
	case f.Pages > 0:
		e.fine(name, textf("%d pages match their sums", "%d 页校验一致", f.Pages))
	}
}
