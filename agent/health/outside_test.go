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
		return Measured{Devices: []Device{{Link: config.Link{Name: "pos", Port: "P", Enabled: true}, Node: "N", Trouble: trouble, Reason: "R"}}}
	}
	contact := func(c Contact) Measured { c.Address, c.Filter = "A", "F"; return Measured{Contact: &c} }
	host := func(h HostSeen) Measured { return contact(Contact{Connected: true, Took: time.Second, Host: &h}) }
	for _, tc := range []struct {
		name, step string
		m          Measured
		en, zh     string // of the last line
	}{
		{"no daemon", "daemon", Measured{}, "daemon warning is not running systemctl start yuanlu", "守护进程 warning 未运行 systemctl start yuanlu"},
		{"daemon not to be asked", "daemon", Measured{Unasked: gone}, "daemon error gone run doctor as root or as the user of the daemon", "守护进程 error gone 以 root 或守护进程的用户运行 doctor"},
		{"folder", "store", Measured{Folder: &Folder{Dir: "/d", DiskFree: 1 << 30}}, "store ok /var/lib/yuanlu, 1024 MiB free ", "数据目录 ok /var/lib/yuanlu，剩余 1024 MiB "},
		{"folder on a full disk", "store", Measured{Folder: &Folder{Dir: "/d", DiskFree: 20 << 10}}, "store warning /var/lib/yuanlu, 20 KiB free make room on its disk", "数据目录 warning /var/lib/yuanlu，剩余 20 KiB 清理所在磁盘"},
		{"folder of another user", "store", Measured{Folder: &Folder{Dir: "/d", Err: gone}}, "store error /d: gone give it to the user of the daemon: chown yuanlu", "数据目录 error /d：gone 将目录交给守护进程的用户：chown yuanlu"},
		{"pages", "store", Measured{Folder: &Folder{Unopened: true, Pages: 7}}, "database ok 7 pages match their sums ", "数据库 ok 7 页校验一致 "},
		{"pages, no time", "store", Measured{Folder: &Folder{Unopened: true, Pages: 7, PagesErr: context.DeadlineExceeded}}, "database ok 7 pages match, then the time was over ", "数据库 ok 7 页校验一致，其余未在限时内检查 "},
		{"device", "links", device(NoTrouble), "link pos ok P ", "链路 pos ok P "},
		{"device, no USB built in", "links", device(NotBuilt), "link pos error N: this program was built without USB support install the build that has it", "链路 pos error N: 本程序编译时未包含 USB 支持 安装带 USB 的版本"},
		{"device away", "links", device(Missing), "link pos error N: R check the cable and the name of the port", "链路 pos error N: R 检查连接线和端口名称"},
		{"tty of another user", "links", device(Locked), "link pos error N: R add the user yuanlu to the group of the port, or install 70-yuanlu.rules", "链路 pos error N: R 将用户 yuanlu 加入端口所属的组，或安装 70-yuanlu.rules"},
		{"USB device of another user", "links", device(LockedUSB), "link pos error N: R install 70-yuanlu.rules in /etc/udev/rules.d and plug the device in again", "链路 pos error N: R 将 70-yuanlu.rules 安装到 /etc/udev/rules.d 并重新插拔设备"},
		{"device in use", "links", device(InUse), "link pos error N: in use by R end that process", "链路 pos error N: 被占用： R 结束该进程"},
		{"clock", "clock", Measured{Synced: true}, "clock ok synchronised ", "时钟 ok 已同步 "},
		{"clock not set", "clock", Measured{}, "clock warning not synchronised " + ntpEN, "时钟 warning 未同步 " + ntpZH},
		{"no broker", "broker", Measured{}, "broker warning none configured: cases stay on this terminal set mqtt.url", "服务器 warning 未配置：案件仅保存在本机 设置 mqtt.url"},
		{"broker away", "broker", contact(Contact{Failed: []Attempt{{"network: x", "do y"}}}), "broker error network: x do y", "服务器 error 网络：x do y"},
		{"broker", "broker", contact(Contact{Connected: true, Took: time.Second}), "broker ok A, round trip 1s ", "服务器 ok A，往返 1s "},
		{"broker refuses", "broker", contact(Contact{Connected: true, Refused: true, Err: gone}), "broker warning A, but it refuses F acknowledgements and commands do not arrive; check its access list", "服务器 warning A，但拒绝订阅 F 确认和命令无法到达；检查其访问控制列表"},
		{"broker ends the connection", "broker", contact(Contact{Connected: true, Err: gone}), "broker error gone check the broker's log", "服务器 error gone 查看服务器日志"},
		{"the connection does not close", "broker", contact(Contact{Connected: true, CloseErr: gone}), "broker warning gone ", "服务器 warning gone "},
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
