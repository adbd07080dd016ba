package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"yuanlu/agent/config"
)

// TestExaminationWithoutADaemon: what a caller has measured of folder, devices and broker
// becomes lines with their remedies, in both languages.
func TestExaminationWithoutADaemon(t *testing.T) {
	gone := errors.New("gone")
	device := func(trouble Trouble) Measured {
		return Measured{Devices: []Device{{Link: config.Link{Name: "pos", Port: "P", Enabled: true}, Node: "N", Trouble: trouble, Reason: "R", Holders: []string{"pid 8 (minicom)"}, Group: "dialout", Mode: 0o660, User: "pos1", Here: []string{"/dev/ttyS1"}}}}
	}
	contact := func(c Contact) Measured { c.Address, c.Filter = "A", "F"; return Measured{Contact: &c} }
	host := func(h HostSeen) Measured { return contact(Contact{Connected: true, Took: time.Second, Host: &h}) }
	for _, tc := range []struct {
		name, step string
		m          Measured
		en, zh     string // of the last line
	}{
		{"no daemon", "daemon", Measured{}, "daemon warning is not running sudo systemctl start yuanlu", "守护进程 warning 未运行 sudo systemctl start yuanlu"},
		{"daemon not to be asked", "daemon", Measured{Unasked: &Unasked{Err: gone}}, "daemon error gone sudo systemctl restart yuanlu", "守护进程 error gone sudo systemctl restart yuanlu"},
		{"folder", "store", Measured{Folder: &Folder{DiskFree: 1 << 30}}, "store ok /var/lib/yuanlu, 1024 MiB free ", "数据目录 ok /var/lib/yuanlu，剩余 1024 MiB "},
		{"folder on a full disk", "store", Measured{Folder: &Folder{DiskFree: 20 << 10, Trouble: StoreTrouble{Mount: "/m"}}}, "store warning /var/lib/yuanlu, 20 KiB free make room: df -h /m; sudo du -xh /m | sort -h | tail; what may be deleted: old logs, captures/ and bundles/", "数据目录 warning /var/lib/yuanlu，剩余 20 KiB 清理空间：df -h /m；sudo du -xh /m | sort -h | tail；可删除：旧日志、captures/、bundles/"},
		{"folder of another user", "store", Measured{Folder: &Folder{Trouble: StoreTrouble{Fault: OthersFile, Path: "/d/x", Owner: "root", Want: "yuanlu", Dir: "/d"}}}, "store error /d/x belongs to root, the daemon runs as yuanlu sudo chown -R yuanlu: /d", "数据目录 error /d/x 属于用户 root，守护进程以 yuanlu 运行 sudo chown -R yuanlu: /d"},
		{"pages", "store", Measured{Folder: &Folder{Unopened: true, Pages: 7}}, "database ok 7 pages match their sums ", "数据库 ok 7 页校验一致 "},
		{"pages, no time", "store", Measured{Folder: &Folder{Unopened: true, Pages: 7, PagesErr: context.DeadlineExceeded}}, "database ok 7 pages match, then the time was over ", "数据库 ok 7 页校验一致，其余未在限时内检查 "},
		{"device", "links", device(NoTrouble), "link pos ok P ", "链路 pos ok P "},
		{"device, no USB built in", "links", device(NotBuilt), "link pos error N: this program was built without USB support install the build that has it", "链路 pos error N: 本程序编译时未包含 USB 支持 安装带 USB 的版本"},
		{"device away", "links", device(Missing), "link pos error N: R plug the cable in, or set port to one that is here: /dev/ttyS1 (yuanlu links list)", "链路 pos error N: R 插好连接线，或将 port 改为现有端口：/dev/ttyS1（yuanlu links list）"},
		{"tty of another user", "links", device(Locked), "link pos error N: pos1 may not open it: it belongs to group dialout (mode 0660) sudo usermod -aG dialout pos1; sudo systemctl restart yuanlu", "链路 pos error N：pos1 无权打开：属于组 dialout（权限 0660） sudo usermod -aG dialout pos1; sudo systemctl restart yuanlu"},
		{"USB device of another user", "links", device(LockedUSB), "link pos error N: R sudo cp 70-yuanlu.rules /etc/udev/rules.d/; sudo udevadm control --reload; plug the device in again", "链路 pos error N: R sudo cp 70-yuanlu.rules /etc/udev/rules.d/；sudo udevadm control --reload；重新插拔设备"},
		{"device in use", "links", device(InUse), "link pos error N: held by pid 8 (minicom) close that program, or: sudo kill 8", "链路 pos error N：被 进程 8（minicom） 占用 关闭该程序，或：sudo kill 8"},
		{"clock", "clock", Measured{Synced: true}, "clock ok synchronised ", "时钟 ok 已同步 "},
		{"clock not set", "clock", Measured{}, "clock warning not synchronised " + ntpEN, "时钟 warning 未同步 " + ntpZH},
		{"no broker", "broker", Measured{}, "broker warning none configured: cases stay on this terminal set mqtt.url", "服务器 warning 未配置：案件仅保存在本机 设置 mqtt.url"},
		{"broker away", "broker", contact(Contact{Failed: []Attempt{{"network: x", "do y"}}}), "broker error network: x do y", "服务器 error 网络：x do y"},
		{"broker", "broker", contact(Contact{Connected: true, Took: time.Second}), "broker ok A, round trip 1s ", "服务器 ok A，往返 1s "},
		{"broker refuses", "broker", contact(Contact{Connected: true, Refused: true, Err: gone}), "broker warning A, but it refuses F acknowledgements and commands do not arrive; check its access list", "服务器 warning A，但拒绝订阅 F 确认和命令无法到达；检查其访问控制列表"},
		{"broker ends the connection", "broker", contact(Contact{Connected: true, Err: gone}), "broker error gone check the broker's log", "服务器 error gone 查看服务器日志"},
		{"the connection does not close", "broker", contact(Contact{Connected: true, CloseErr: gone}), "broker warning gone check the broker's log", "服务器 warning gone 查看服务器日志"},
		{"back office", "broker", host(HostSeen{Host: Host{Known: true, Online: true, At: now}}), "back office ok desk is online since 2026-03-04 13:06:07 ", "后台 ok desk 自 2026-03-04 13:06:07 起在线 "},
		{"back office away", "broker", host(HostSeen{Host: Host{Known: true, At: now}}), "back office warning desk is offline since 2026-03-04 13:06:07 check backoffice.host and the back office", "后台 warning desk 自 2026-03-04 13:06:07 起离线 检查 backoffice.host 和后台"},
		{"back office silent", "broker", host(HostSeen{}), "back office warning desk has not said that it is there check backoffice.host and the back office", "后台 warning desk 未声明在线 检查 backoffice.host 和后台"},
		{"back office refused", "broker", host(HostSeen{Err: gone}), "back office warning gone check backoffice.host and the back office", "后台 warning gone 检查 backoffice.host 和后台"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := configuration(t, "[time]\nzone = \"+08:00\"\n")
			c.Backoffice.Host = "desk"
			for _, want := range []struct {
				chinese bool
				text    string
			}{{false, tc.en}, {true, tc.zh}} {
				e := Examination{Config: c, Chinese: want.chinese, Measure: func(_ context.Context, _ string, _ *Snapshot, m *Measured) { *m = tc.m }}
				lines := e.Run(t.Context(), nil, tc.step)
				if len(lines) == 0 {
					t.Fatal("no line")
				}
				if l := lines[len(lines)-1]; fmt.Sprint(l.Name, " ", l.Level, " ", l.Text, " ", l.Remedy) != want.text {
					t.Errorf("%+v, want %q", l, want.text)
				}
			}
		})
	}
}

// TestOtherAddressIsAWarning: an address that fails before one that works is no error.
func TestOtherAddressIsAWarning(t *testing.T) {
	e := Examination{Config: configuration(t, ""), Measure: func(_ context.Context, _ string, _ *Snapshot, m *Measured) {
		m.Contact = &Contact{Failed: []Attempt{{Text: "network: x"}}, Connected: true, Address: "A"}
	}}
	if lines := e.Run(t.Context(), nil, "broker"); len(lines) != 2 || lines[0].Level != Warning || lines[1].Level != Fine {
		t.Errorf("%+v", lines)
	}
}

// TestOnsets: a problem keeps its beginning until it is gone, and the one that a snapshot
// shows counts more.
func TestOnsets(t *testing.T) {
	var o Onsets
	since := func(at time.Time, all ...Problem) []time.Time {
		o.Date(at, all)
		var list []time.Time
		for _, p := range all {
			list = append(list, p.Since)
		}
		return list
	}
	disk, link, known := Problem{Code: "disk_low"}, Problem{Code: "link_noisy", About: "pos"}, Problem{Code: "link_absent", About: "pos", Since: now.Add(-time.Hour)}
	first := since(now, disk, known)
	later := since(now.Add(time.Minute), disk, link, known)
	if !slices.Equal(first, []time.Time{now, known.Since}) || !slices.Equal(later, []time.Time{now, now.Add(time.Minute), known.Since}) {
		t.Errorf("%v, then %v", first, later)
	}
	since(now.Add(2*time.Minute), link)
	if again := since(now.Add(3*time.Minute), disk); again[0] != now.Add(3*time.Minute) {
		t.Errorf("a problem that was gone began at %v", again)
	}
}
