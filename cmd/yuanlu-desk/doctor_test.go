package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/checkup"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/mqtt/brokertest"
)

// findings are the doctor's lines by name, of the worst level.
func findings(t *testing.T, args ...string) (map[string]checkup.Finding, int) {
	t.Helper()
	r := run1("", append([]string{"doctor", "--json"}, args...)...)
	got := map[string]checkup.Finding{}
	for line := range strings.Lines(r.out) {
		var f checkup.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s%s", err, line, r.errors)
		}
		if had, ok := got[f.Name]; !ok || had.Level == checkup.Fine {
			got[f.Name] = f
		}
	}
	return got, r.code
}

// The doctor beside a desk that runs on a real broker with an access list, by the file of the
// unit: what is right is right, and each thing that is taken away is found.
func TestE2EDeskDoctor(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	allowed := "user office\ntopic read yuanlu/v1/+/up/#\ntopic readwrite yuanlu/v1/_host/#\ntopic write yuanlu/v1/+/dn/#\n"
	b := brokertest.Start(t, brokertest.Options{ACL: allowed + "user half\ntopic read yuanlu/v1/_host/#\nuser t-1\ntopic write yuanlu/v1/t-1/up/#\n",
		Passwords: map[string]string{"office": "secret", "half": "secret", "t-1": "secret"}})
	password := write("password", "secret\n", 0o600)
	place := filepath.Join(dir, "desk.db")
	flags := []string{"--broker", b.URL(), "--username", "office", "--password-file", password}
	unit := write("default", fmt.Sprintf("# settings\nYUANLU_DESK_STORE=%s\nYUANLU_DESK_ARGS=%q\n", place, strings.Join(flags, " ")), 0o600)

	got, code := findings(t, "--settings", unit)
	if f := got["store"]; code != exitErrors || f.Level != checkup.Error || !strings.Contains(f.Text, "no store yet") {
		t.Errorf("before the first start: %d %+v", code, f)
	}
	if _, err := os.Stat(place); err == nil {
		t.Error("the doctor has made a store")
	}
	d := newDesk(t, append(flags, "--store", place)...)
	d.startDesk()
	state := `{"v":1,"state":"online","session":"s","ts":"2026-08-24T09:00:00Z","since":"2026-08-24T09:00:00Z"}`
	if out, err := exec.Command("mosquitto_pub", "-p", strconv.Itoa(b.Port), "-u", "t-1", "-P", "secret", "-q", "1", "-r", "-t", "yuanlu/v1/t-1/up/state", "-m", state).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	desktest.Eventually(t, 30*time.Second, "the terminal is known", func() bool {
		var list struct{ Terminals []json.RawMessage }
		return d.get("/v1/terminals", &list) == nil && len(list.Terminals) == 1
	})
	for _, one := range [][]string{{"boss", "supervisor"}, {"wang", "manager"}, {"root", "admin"}} {
		if r := run1("", "people", "add", one[0], "--staff", one[0], "--role", one[1], "--shop", "*", "--store", place); r.code != 0 {
			t.Fatal(r)
		}
	}
	got, _ = findings(t, "--settings", unit)
	for _, name := range []string{"store", "settings", "broker", "access list", "desk", "journals", "deadlines", "files", "backlog", "page"} {
		if got[name].Level != checkup.Fine {
			t.Errorf("%s: %+v", name, got[name])
		}
	}
	if f := got["people"]; f.Level != checkup.Warning || !strings.Contains(f.Text, "boss, root, wang: the first password") {
		t.Errorf("%+v", f)
	}
	if got, _ = findings(t, "--broker", b.URL(), "--store", place, "--username", "half", "--password-file", password); !strings.Contains(got["access list"].Remedy, "topic read yuanlu/v1/+/up/#") {
		t.Errorf("%+v", got["access list"])
	}
	wrong := write("wrong", "guess\n", 0o644)
	got, code = findings(t, "--broker", b.URL(), "--store", place, "--username", "office", "--password-file", wrong)
	if f := got["broker"]; code != exitErrors || f.Level != checkup.Error || !strings.Contains(f.Remedy, "--password-file") {
		t.Errorf("%d %+v", code, f)
	}
	if f := got["settings"]; !strings.Contains(f.Remedy, "chmod o=") {
		t.Errorf("%+v", f)
	}
	d.kill() // its will is published
	if got, _ = findings(t, "--settings", unit); got["desk"].Level != checkup.Error {
		t.Errorf("a desk that was killed: %+v", got["desk"])
	}
	people := run1("", "doctor", "--settings", unit, "--lang", "zh")
	if !strings.Contains(people.out, "× 后台: ") || !strings.Contains(people.out, "\n    sudo systemctl enable") || strings.Contains(people.out, "secret") {
		t.Error(people.out)
	}
}
