package health

import "yuanlu/agent/config"

// Unasked is why a daemon that runs cannot be asked.
type Unasked struct {
	Err     error
	Denied  bool // this user may not
	Hung    bool // it answers nothing
	Stopped bool // by a signal
	PID     int  // where it hangs; 0: not known
}

// words returns what is wrong and the command for it.
func (u *Unasked) words() (text, remedy config.Text) {
	switch {
	case u.Denied:
		return both("it runs, and this user may not ask it", "正在运行，但当前用户无权询问"), same("sudo yuanlu doctor")
	case u.Stopped:
		return textf("process %d was stopped by a signal and does not run on", "进程 %d 被信号暂停", u.PID), textf("sudo kill -CONT %d; if it hangs again: sudo systemctl restart yuanlu", "sudo kill -CONT %d；若再次挂起：sudo systemctl restart yuanlu", u.PID)
	case u.Hung:
		return textf("process %d hangs: it answers nothing", "进程 %d 挂起：没有任何应答", u.PID), both("sudo journalctl -u yuanlu -n 50, then: sudo systemctl restart yuanlu", "sudo journalctl -u yuanlu -n 50，然后：sudo systemctl restart yuanlu")
	}
	return same(u.Err.Error()), both("sudo systemctl restart yuanlu", "sudo systemctl restart yuanlu")
}

func lookAtDaemon(e *Examination) {
	name := both("daemon", "守护进程")
	switch s := e.Snapshot; {
	case s != nil:
		e.fine(name, textf("pid %d, up %s, %s", "pid %d，已运行 %s，%s", s.PID, s.Uptime, s.Build.Version))
	case e.m.Unasked != nil:
		text, remedy := e.m.Unasked.words()
		e.add(Error, name, text, remedy)
	case e.m.Folder != nil && e.m.Folder.LockedBy != 0: // what holds the store has a line there
		e.add(Note, name, textf("no answer on %s", "%s 上没有应答", e.Config.Control.Socket), config.Text{})
	default:
		e.add(Warning, name, both("is not running", "未运行"), same("sudo systemctl start yuanlu"))
	}
	lookAtObstacles(e)
}
