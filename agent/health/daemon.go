package health

func lookAtDaemon(e *Examination) {
	name := both("daemon", "守护进程")
	switch s := e.Snapshot; {
	case s != nil:
		e.fine(name, textf("pid %d, up %s, %s", "pid %d，已运行 %s，%s", s.PID, s.Uptime, s.Build.Version))
	case e.m.Unasked != nil:
		e.add(Error, name, same(e.m.Unasked.Error()), both("run doctor as root or as the user of the daemon", "以 root 或守护进程的用户运行 doctor"))
	default:
		e.add(Warning, name, both("is not running", "未运行"), same("systemctl start yuanlu"))
	}
}
