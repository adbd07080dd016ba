package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var wires = Options{Wires: []string{"mispos", "cup8583", "smart"}}

const least = `[terminal]
id = "t-00423"

[[link]]
name = "pos"
wire = "mispos"
port = "/dev/ttyS1"
`

func TestContractExample(t *testing.T) {
	text := `[terminal]
id = "t-00423"
merchant_id = "898000000000001"   # records of other merchants are kept, and said to be so

[store]
dir = "/var/lib/yuanlu"           # yuanlu.db, keys/, quarantine/, captures/

[[link]]
name = "pos"
wire = "mispos"                   # mispos | cup8583 | smart
port = "/dev/ttyS1"               # a tty, a /dev/serial/by-id name, or usb:1209:5053[:SERIAL]
baud = 9600                       # serial only; also data_bits, parity, stop_bits

[mqtt]
url = "tls://broker.example:8883" # tcp:// only for loopback, unless allow_plaintext = true
root = "yuanlu"
ca_file = "/a"
cert_file = "/b"
key_file = "/c"

[delivery]
ack = "backoffice"                # or "broker"

[case]
min_severity = "medium"
pending_grace = "10m"

[log]
level = "info"
`
	c, err := Parse("yuanlu.toml", []byte(text), wires)
	if err != nil {
		t.Fatal(err)
	}
	if c.Terminal.ID != "t-00423" || c.Links[0].Port != "/dev/ttyS1" || c.Case.PendingGrace != 10*time.Minute || c.MQTT.ClientID != "t-00423" {
		t.Errorf("read as %+v", c)
	}
}

func TestDefaults(t *testing.T) {
	c, err := Parse("f", []byte(least), wires)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		File: "f", Terminal: Terminal{ID: "t-00423"},
		Store: Store{Dir: "/var/lib/yuanlu", Retention: 540 * day},
		Links: []Link{{Name: "pos", Wire: "mispos", Port: "/dev/ttyS1", Baud: 9600, DataBits: 8, Parity: "none",
			StopBits: "1", FrameTimeout: 500 * time.Millisecond, Enabled: true, Guard: "off"}},
		MQTT:       MQTT{Root: "yuanlu", ClientID: "t-00423", KeepAlive: 30 * time.Second, ConnectTimeout: 15 * time.Second},
		Delivery:   Delivery{Ack: "backoffice", AckTimeout: 30 * time.Second, MaxBytes: 16 << 20},
		Backoffice: Backoffice{Keys: []Key{}},
		Remote:     Remote{Config: true, Trial: 5 * time.Minute},
		Guard: Guard{HoldFor: 300 * time.Second, OfficeHoldFor: 900 * time.Second, OfficeWait: time.Minute, Socket: "/var/lib/yuanlu/guard.sock",
			Supervisors: []Supervisor{}},
		Case:    Case{MinSeverity: "medium", PendingGrace: 10 * time.Minute},
		Window:  Window{Card: 180, WeChat: 365, Alipay: 365, UnionPayQR: 360, JD: 365, ECNY: 365, Cash: 365, Unknown: 365},
		Day:     Day{Report: true, At: "02:00"},
		Health:  Health{Interval: time.Minute},
		Log:     Log{Level: "info", Format: "text", File: "/var/lib/yuanlu/log/yuanlu.log", MaxBytes: 2 << 20, Keep: 3},
		Control: Control{Socket: "/var/lib/yuanlu/control.sock"},
		Time:    Time{Zone: "+08:00", Trust: "kernel"},
	}
	c.given, c.sum = nil, ""
	if d := cmp.Diff(want, c, cmp.AllowUnexported(Config{})); d != "" {
		t.Error(d)
	}
	if at := time.Date(2026, 1, 1, 0, 0, 0, 0, c.Time.Location()); at.Format(time.RFC3339) != "2026-01-01T00:00:00+08:00" {
		t.Errorf("zone gives %s", at)
	}
	for _, s := range settings(wires) {
		probe := &Config{Links: make([]Link, 1), Backoffice: Backoffice{Keys: make([]Key, 1)}, Guard: Guard{Supervisors: make([]Supervisor, 1)}}
		if wrong := s.reset(probe, 0); wrong != "" {
			t.Errorf("default of %s %s", s.Name, wrong)
		}
		if s.Doc.EN == "" || s.Doc.ZH == "" {
			t.Errorf("%s is not explained", s.Name)
		}
	}
}

// Each wrong file, and everything that is said about it.
func TestErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"misspelt name", least + "[mqtt]\nulr = \"tls://a:1\"\n", `f:9:1: unknown name "ulr" in [mqtt]; did you mean "url"?`},
		{"misspelt table", least + "[delivry]\nack = \"broker\"\n", `f:8:2: unknown table "delivry"; did you mean "delivery"?`},
		{"misspelt list", "[terminal]\nid = \"a\"\n[[lnik]]\nname = \"x\"\n", `f: there is no [[link]]: the agent would hear nothing` + "\n" + `f:3:3: unknown table "lnik"; did you mean "link"?`},
		{"name outside tables", "id = \"a\"\n" + least, `f:1:1: unknown name "id"`},
		{"single link table", "[terminal]\nid = \"a\"\n[link]\nname = \"x\"\n", `f:3:2: [link] may stand several times: write [[link]]`},
		{"list of a plain table", least + "[[mqtt]]\nroot = \"a\"\n", `f:8:3: [[mqtt]] stands once: write [mqtt]`},
		{"table twice", least + "[log]\nlevel = \"info\"\n[log]\n", `f:10:2: table [log] is already at line 8`},
		{"name twice", least + "[log]\nlevel = \"info\"\nlevel = \"warn\"\n", `f:10:1: log.level is already set at line 9`},
		{"wrong type", least + "baud = \"fast\"\n", `f:8:8: baud wants a whole number, not text`},
		{"out of range", least + "baud = 110\n", `f:8:8: baud is out of range: 300 to 4000000`},
		{"wrong word", strings.Replace(least, "mispos", "mispso", 1), `f:6:8: wire wants one of mispos, cup8583, smart; did you mean "mispos"?`},
		{"bad duration", least + "frame_timeout = \"soon\"\n", `f:8:17: frame_timeout wants a duration such as "500ms", "10m", "36h" or "540d"`},
		{"duration as number", least + "frame_timeout = 500\n", `f:8:17: frame_timeout wants a duration such as "10m", not a whole number`},
		{"bool as text", least + "enabled = \"yes\"\n", `f:8:11: enabled wants true or false, not text`},
		{"list", least + "port2 = [\"a\"]\n", `f:8:1: unknown name "port2" in [link]; did you mean "port"?`},
		{"missing", "[terminal]\n[[link]]\nname = \"pos\"\n", "f:1:2: terminal.id is missing\nf:2:3: link[1].wire is missing\nf:2:3: link[1].port is missing"},
		{"bad id", strings.Replace(least, "t-00423", "T 1", 1), `f:2:6: id wants 1 to 64 of a-z, 0-9 and -`},
		{"plaintext", least + "[mqtt]\nurl = \"tcp://broker.example:1883\"\n", `f:9:7: tcp:// is not encrypted, and for this machine only: use tls://, or set mqtt.allow_plaintext = true`},
		{"no port", least + "[mqtt]\nurl = \"tls://broker.example\"\n", `f:9:7: url wants a port, such as :8883`},
		{"password in url", least + "[mqtt]\nurl = \"tls://u:hunter2@b:1\"\n", `f:9:7: url holds a user name: use mqtt.username and mqtt.password_file`},
		{"certificate without key", least + "[mqtt]\nurl = \"tls://b:1\"\ncert_file = \"/c\"\n", `f:10:13: cert_file needs mqtt.key_file beside it`},
		{"same name", least + least[strings.Index(least, "[[link]]"):], "f:9:8: name \"pos\" is already that of link 1\nf:11:8: port is already that of link 1"},
		{"usb with baud", "[terminal]\nid = \"a\"\n[[link]]\nname = \"u\"\nwire = \"smart\"\nport = \"usb:1209:5053\"\nbaud = 9600\n", `f:7:8: baud says something only about a serial port, and this one is USB`},
		{"usb id", "[terminal]\nid = \"a\"\n[[link]]\nname = \"u\"\nwire = \"smart\"\nport = \"usb:12:5053\"\n", `f:6:8: port wants usb:VID:PID, both as four hexadecimal digits`},
		{"key", least + "[[backoffice.key]]\nid = \"k\"\npublic_key = \"AAAA\"\n", `f:10:14: public_key wants the base64 of 32 bytes`},
		{"window", least + "[window]\ncard = 0\nwechatt = 3\n", "f:9:8: card is out of range: 1 to 3650\nf:10:1: unknown name \"wechatt\" in [window]; did you mean \"wechat\"?"},
		{"syntax, and the rest too", "[terminal]\nid = \"a\nmerchant = 1\n" + strings.TrimPrefix(least, "[terminal]\nid = \"t-00423\"\n"),
			"f:1:2: terminal.id is missing\nf:2:8: syntax: basic strings cannot have new lines\nf:3:1: unknown name \"merchant\" in [terminal]; did you mean \"merchant_id\"?"},
		{"control character", least + "[log]\nfile = \"/a\\u0007\"\n", `f:9:8: file holds a control character`},
		{"not utf-8", "[terminal]\n\xff\n", `f:2:1: the file is not UTF-8 text: save it as UTF-8 (from GBK: iconv -f GBK -t UTF-8)`},
		{"empty", "", "f: terminal.id is missing\nf: there is no [[link]]: the agent would hear nothing"},
		{"column in characters", least + "[log] # 日志\nlevel = \"信息\"\n", `f:9:9: level wants one of debug, info, warn, error`},
		{"inline", "terminal = {id = \"a\", mid = 1}\nlink = [{name = \"p\", wire = \"smart\", port = \"x/y\"}]\n",
			"f:1:23: unknown name \"mid\" in [terminal]; did you mean \"id\"?\nf:2:45: port wants a path that begins with /, a name in /dev/serial/by-id, or usb:VID:PID[:SERIAL]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tt.text), wires)
			if err == nil {
				t.Fatal("accepted")
			}
			if !errors.Is(err, ErrConfig) {
				t.Errorf("%v is not of class ErrConfig", err)
			}
			if d := cmp.Diff(strings.Split(tt.want, "\n"), strings.Split(err.Error(), "\n")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestNoSecretInErrors(t *testing.T) {
	_, err := Parse("f", []byte(least+"[mqtt]\nurl = \"tls://u:hunter2@b:1\"\npassword = \"hunter2\"\n"), wires)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("said %v", err)
	}
}

func TestInlineIsTheSame(t *testing.T) {
	inline := "terminal.id = \"t-00423\"\nlink = [{name = \"pos\", wire = \"mispos\", port = \"/dev/ttyS1\"}]\n"
	a, err := Parse("f", []byte(inline), wires)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse("f", []byte(least), wires)
	if err != nil {
		t.Fatal(err)
	}
	if a.Digest() != b.Digest() {
		t.Errorf("digests %s and %s", a.Digest(), b.Digest())
	}
}

func TestWrittenReadsBack(t *testing.T) {
	text := least + "stop_bits = 2\n[[backoffice.key]]\nid = \"k\"\npublic_key = \"" + strings.Repeat("A", 43) + "=\"\n[log]\nfile = \"none\"\n[window]\ncard = 90\n"
	a, err := Parse("f", []byte(text), wires)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse("g", []byte(a.TOML()), wires)
	if err != nil {
		t.Fatalf("%v in\n%s", err, a.TOML())
	}
	if names := a.Changed(b); len(names) != 0 || a.Digest() != b.Digest() {
		t.Errorf("changed by writing: %v", names)
	}
	c, err := Parse("f", []byte(least), wires)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"link[1].stop_bits", "window.card", "log.file", "backoffice.key[1].id", "backoffice.key[1].public_key"}
	if d := cmp.Diff(want, c.Changed(a)); d == "" {
		return
	}
	if got := c.Changed(a); len(got) != len(want) {
		t.Errorf("changed: %v", got)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(filepath.Join(dir, "none.toml"), wires); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, ErrConfig) {
		t.Errorf("missing file: %v", err)
	}
	big := filepath.Join(dir, "big.toml")
	if err := os.WriteFile(big, make([]byte, MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(big, wires); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("big file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(least)
	f.Add("[[link]]\n[link]\nlink = [{}]\n[[link.x]]\na.b.c = {d = [1, [2]]}\n")
	f.Add("a = '''\nx\n'''\n\"\" = 1\n[a.\"b c\"]\n")
	f.Add("= \n\"\n[\n[[\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f", []byte(text), wires)
		if err != nil {
			if !errors.Is(err, ErrConfig) || err.Error() == "" {
				t.Errorf("error %v", err)
			}
			return
		}
		d, err := Parse("f", []byte(c.TOML()), wires)
		if err != nil || d.Digest() != c.Digest() {
			t.Errorf("does not read back: %v\n%s", err, c.TOML())
		}
	})
}
