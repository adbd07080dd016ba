package machine

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
)

// TestObstacles: what keeps the daemon from its log file or control socket is found, and
// nothing where it can make them.
func TestObstacles(t *testing.T) {
	self := uint32(os.Geteuid())
	const other = 65534
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		make   func(dir string) // dir is the store's folder
		socket string           // where it is to be, from the folder above the store's
		daemon uint32
		want   []string // kinds and paths, from the folder above the store's
	}{
		{name: "nothing there", daemon: self},
		{name: "a healthy store", daemon: self, make: func(dir string) {
			must(os.MkdirAll(filepath.Join(dir, "log"), 0o700))
			must(os.WriteFile(filepath.Join(dir, "log", "yuanlu.log"), nil, 0o600))
			must(syscall.Mknod(filepath.Join(dir, "control.sock"), syscall.S_IFSOCK|0o600, 0))
		}},
		{name: "folders in both places", daemon: self, make: func(dir string) {
			must(os.MkdirAll(filepath.Join(dir, "log", "yuanlu.log"), 0o700))
			must(os.Mkdir(filepath.Join(dir, "control.sock"), 0o700))
		}, want: []string{"0 s/control.sock", "0 s/log/yuanlu.log"}},
		{name: "a link and a file", daemon: self, make: func(dir string) {
			must(os.MkdirAll(filepath.Join(dir, "log"), 0o700))
			must(os.Symlink("/dev/null", filepath.Join(dir, "log", "yuanlu.log")))
			must(os.WriteFile(filepath.Join(dir, "control.sock"), nil, 0o600))
		}, want: []string{"0 s/control.sock", "0 s/log/yuanlu.log"}},
		{name: "a pipe", daemon: self, make: func(dir string) {
			must(os.MkdirAll(filepath.Join(dir, "log"), 0o700))
			must(syscall.Mkfifo(filepath.Join(dir, "log", "yuanlu.log"), 0o600))
		}, want: []string{"0 s/log/yuanlu.log"}},
		{name: "a file in place of log/", daemon: self, make: func(dir string) {
			must(os.MkdirAll(dir, 0o700))
			must(os.WriteFile(filepath.Join(dir, "log"), nil, 0o600))
		}, want: []string{"1 s/log"}},
		{name: "a file in place of the store", daemon: self, make: func(dir string) { must(os.WriteFile(dir, nil, 0o600)) }},
		{name: "a log of another user", daemon: other, make: func(dir string) {
			must(os.MkdirAll(filepath.Join(dir, "log"), 0o700))
			must(os.WriteFile(filepath.Join(dir, "log", "yuanlu.log"), nil, 0o600))
		}, want: []string{"2 s/log/yuanlu.log"}},
		{name: "a socket in another user's folder", daemon: other, socket: "elsewhere/control.sock", want: []string{"2 elsewhere"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.daemon != self && self != 0 {
				t.Skip("the files must be root's")
			}
			above := t.TempDir()
			must(os.Mkdir(filepath.Join(above, "elsewhere"), 0o755))
			dir := filepath.Join(above, "s")
			if c.make != nil {
				c.make(dir)
			}
			conf := &config.Config{Store: config.Store{Dir: dir}, Control: config.Control{Socket: filepath.Join(dir, "control.sock")},
				Log: config.Log{File: filepath.Join(dir, "log", "yuanlu.log")}}
			if c.socket != "" {
				conf.Control.Socket = filepath.Join(above, c.socket)
			}
			var got []string
			for _, o := range Obstacles(conf, c.daemon) {
				from, err := filepath.Rel(above, o.Path)
				must(err)
				got = append(got, string('0'+rune(o.Kind))+" "+from)
				if text, remedy := o.Words(); text.EN == "" || text.ZH == "" || remedy.EN == "" || remedy.ZH == "" {
					t.Errorf("%+v has no words", o)
				}
			}
			if len(got) != len(c.want) {
				t.Fatalf("found %q, want %q", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("found %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}

// TestKindsOfObstacles: each has its own words, which name the path and a command for it.
func TestKindsOfObstacles(t *testing.T) {
	o := health.Obstacle{What: config.Text{EN: "the log", ZH: "日志"}, Path: "/p", Owner: "root", Want: "yuanlu", Place: "/s/log"}
	for _, c := range []struct {
		kind health.ObstacleKind
		mode fs.FileMode
		text string
		do   string
	}{
		{health.Misplaced, fs.ModeDir, "/p is a folder: the log cannot be made there", "sudo mv /p /p.old; sudo systemctl restart yuanlu"},
		{health.Misplaced, fs.ModeNamedPipe, "/p is a device, a pipe or a socket: the log cannot be made there", "sudo mv /p /p.old; sudo systemctl restart yuanlu"},
		{health.NoFolder, 0, "/p is a file, not a folder: the log cannot be made below it", "sudo mv /p /p.old; sudo systemctl restart yuanlu"},
		{health.OthersPlace, 0o600, "/p belongs to root (mode 0600): the daemon, which runs as yuanlu, cannot write the log", "sudo chown yuanlu: /p"},
		{health.OthersPlace, fs.ModeDir | 0o755, "/p belongs to root (mode 0755): the daemon, which runs as yuanlu, cannot write the log", "set it to a folder of yuanlu's own, such as /s/log, then: sudo systemctl restart yuanlu"},
	} {
		o.Kind, o.Mode = c.kind, c.mode
		if text, remedy := o.Words(); text.EN != c.text || remedy.EN != c.do {
			t.Errorf("%q, %q; want %q, %q", text.EN, remedy.EN, c.text, c.do)
		}
	}
}
