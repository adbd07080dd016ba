package health

import (
	"fmt"
	"io/fs"

	"yuanlu/agent/config"
)

// ObstacleKind is a kind of reason why the daemon cannot make one of its files.
type ObstacleKind int

// The kinds of an obstacle.
const (
	Misplaced   ObstacleKind = iota // something else stands where the file goes
	NoFolder                        // a file stands where a folder on its way should be
	OthersPlace                     // it belongs to another user, and the daemon's may not write it
)

// Obstacle is why the daemon cannot make one of its files where the configuration has it.
type Obstacle struct {
	What  config.Text // the file
	Kind  ObstacleKind
	Path  string      // what is in the way
	Mode  fs.FileMode // of Path
	Owner string      // of Path
	Want  string      // the daemon's user
	Place string      // where the file could go, in the store's folder
	Fatal bool        // without the file no verb reaches the daemon
}

// Words returns what is wrong and the command that mends it.
func (o *Obstacle) Words() (text, remedy config.Text) {
	aside := same(fmt.Sprintf("sudo mv %[1]s %[1]s.old; sudo systemctl restart yuanlu", o.Path))
	switch o.Kind {
	case Misplaced:
		return textf("%s is %s: %s cannot be made there", "%s 是%s：无法在此创建%s", o.Path, kindOf(o.Mode), o.What), aside
	case NoFolder:
		return textf("%s is %s, not a folder: %s cannot be made below it", "%s 是%s，不是目录：无法在其下创建%s", o.Path, kindOf(o.Mode), o.What), aside
	}
	text = textf("%s belongs to %s (mode %04o): the daemon, which runs as %s, cannot write %s", "%s 属于用户 %s（权限 %04o）：以 %s 运行的守护进程无法写入%s",
		o.Path, o.Owner, ModeBits(o.Mode), o.Want, o.What)
	if o.Mode.IsDir() {
		return text, textf("set it to a folder of %[1]s's own, such as %[2]s, then: sudo systemctl restart yuanlu", "改为 %[1]s 自己的目录，如 %[2]s，然后：sudo systemctl restart yuanlu", o.Want, o.Place)
	}
	return text, same(fmt.Sprintf("sudo chown %s: %s", o.Want, o.Path))
}

// kindOf names what stands in a file's place.
func kindOf(mode fs.FileMode) config.Text {
	switch {
	case mode.IsDir():
		return both("a folder", "目录")
	case mode&fs.ModeSymlink != 0:
		return both("a link", "链接")
	case mode.IsRegular():
		return both("a file", "文件")
	}
	return both("a device, a pipe or a socket", "设备、管道或套接字")
}

// lookAtObstacles adds a line for each file that the daemon cannot make.
func lookAtObstacles(e *Examination) {
	for i := range e.m.Obstacles {
		o := &e.m.Obstacles[i]
		level := Warning
		if o.Fatal {
			level = Error
		}
		text, remedy := o.Words()
		e.add(level, o.What, text, remedy)
	}
}
