package health

import (
	"fmt"
	"io/fs"

	"yuanlu/agent/config"
)

// StoreFault is a kind of reason why a store cannot be used as it lies on the disk.
type StoreFault int

// The faults of a store's place.
const (
	NoFault     StoreFault = iota
	NotMounted             // store.mount is no mount point
	NotFolder              // a file stands where a folder should be
	ReadOnly               // its file system
	DiskFull               // its file system
	OthersFile             // it belongs to another user than the daemon's
	NoWay                  // this user may not look, who is not the daemon's
	NotWritable            // by its permissions, for the daemon's user
)

// StoreTrouble is why a store cannot be used, as the place it lies in shows it.
type StoreTrouble struct {
	Fault StoreFault
	Path  string // the file or folder
	Mount string // where its file system is mounted
	Owner string // of Path
	Want  string // the daemon's user
	Dir   string // store.dir
	Free  int64  // bytes
	Mode  fs.FileMode
}

// Words returns what is wrong and the command that mends it.
func (s *StoreTrouble) Words() (text, remedy config.Text) {
	switch s.Fault {
	case NotMounted:
		return textf("%s is not mounted: nothing may be stored below it", "%s 未挂载：不能在其下保存", s.Mount),
			same(fmt.Sprintf("sudo mount %s", s.Mount))
	case NotFolder:
		return textf("%s is a file, not a folder", "%s 是文件，不是目录", s.Path),
			textf("sudo mv %[1]s %[1]s.old; sudo systemctl restart yuanlu", "sudo mv %[1]s %[1]s.old; sudo systemctl restart yuanlu", s.Path)
	case ReadOnly:
		return textf("%s lies on a read-only file system (%s)", "%s 所在文件系统为只读（%s）", s.Path, s.Mount),
			textf("sudo mount -o remount,rw %s; if it was made read-only by an error (sudo dmesg | tail), replace the disk", "sudo mount -o remount,rw %s；若因错误变为只读（sudo dmesg | tail），请更换磁盘", s.Mount)
	case DiskFull:
		return textf("the disk of %s is full: %s free on %s", "%s 所在磁盘已满：%[3]s 剩余 %[2]s", s.Path, SizeText(s.Free), s.Mount),
			textf("make room for at least %[1]s: df -h %[2]s; sudo du -xh %[2]s | sort -h | tail; never delete yuanlu.db, yuanlu.db-wal or keys/", "至少腾出 %[1]s：df -h %[2]s；sudo du -xh %[2]s | sort -h | tail；切勿删除 yuanlu.db、yuanlu.db-wal、keys/", SizeText(LowDisk), s.Mount)
	case OthersFile:
		return textf("%s belongs to %s, the daemon runs as %s", "%s 属于用户 %s，守护进程以 %s 运行", s.Path, s.Owner, s.Want),
			same(fmt.Sprintf("sudo chown -R %s: %s", s.Want, s.Dir))
	case NoWay:
		return textf("%s: this user may not look at it", "%s：当前用户无权查看", s.Path), same("sudo yuanlu doctor")
	case NotWritable:
		return textf("%s may not be written by %s (mode %04o)", "%s 不允许 %s 写入（权限 %04o）", s.Path, s.Want, ModeBits(s.Mode)),
			same(fmt.Sprintf("sudo chmod u+rwX %s", s.Path))
	}
	return text, remedy
}
