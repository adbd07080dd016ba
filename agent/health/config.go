package health

import (
	"fmt"
	"io/fs"

	"yuanlu/agent/config"
)

// Exposed is a file or folder of the agent that others than its owner and group may
// read or change.
type Exposed struct {
	Path string
	Mode fs.FileMode // permissions
	What config.Text // what it is
	May  config.Text // what others may do with it
	Keep fs.FileMode // the permissions that it should have at most
}

// Text returns what is open to whom.
func (x *Exposed) Text() config.Text {
	return textf("%s %s may be %s by every user of this machine (mode %04o)", "%s %s 可被本机任何用户%s（权限 %04o）", x.What, x.Path, x.May, ModeBits(x.Mode))
}

// Remedy returns the command that closes it.
func (x *Exposed) Remedy() config.Text { return same(fmt.Sprintf("chmod %04o %s", x.Keep, x.Path)) }

// ModeBits are a mode's permissions as chmod writes them.
func ModeBits(m fs.FileMode) fs.FileMode {
	bits := m.Perm()
	if m&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}

func lookAtConfig(e *Examination) {
	for _, x := range e.m.Exposed {
		e.add(Warning, both("permissions", "权限"), x.Text(), x.Remedy())
	}
	s := e.Snapshot
	if s == nil {
		return
	}
	name := both("config in force", "生效配置")
	switch {
	case e.m.OnDiskErr != nil:
		e.add(Error, name, textf("%s is in force, but the file has mistakes: %v", "生效 %s，但配置文件有误：%v", s.Config, e.m.OnDiskErr),
			both("correct the file; yuanlu config check names each", "修改配置文件；yuanlu config check 逐项指出"))
	case e.m.OnDisk != s.Config:
		e.add(Warning, name, textf("%s is in force, the file says %s", "生效 %s，文件为 %s", s.Config, e.m.OnDisk), same("systemctl reload yuanlu"))
	default:
		e.fine(name, same(e.m.OnDisk))
	}
}
