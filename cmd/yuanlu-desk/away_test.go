package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/mqtt/brokertest"
)

// places are a store of each kind, empty.
func places(t *testing.T, do func(t *testing.T, place string)) {
	t.Run("sqlite", func(t *testing.T) { do(t, filepath.Join(t.TempDir(), "desk.db")) })
	t.Run("postgres", func(t *testing.T) { do(t, cluster.Database(t)) })
}

// ready waits until a desk is connected.
func (p *process) ready() {
	p.t.Helper()
	desktest.Eventually(p.t, 20*time.Second, "the desk connected", func() bool {
		var s struct{ Ready bool }
		return p.get("/v1/status", &s) == nil && s.Ready
	})
}

// lock keeps everybody from writing until the test ends or free is called.
func lock(t *testing.T, place string) (free func()) {
	t.Helper()
	driver, dsn := "pgx", place
	if filepath.IsAbs(place) {
		driver, dsn = "sqlite", "file:"+place+"?_txlock=immediate&_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`UPDATE desk SET n = n`); err != nil {
		t.Fatal(err)
	}
	return func() { _ = tx.Rollback() }
}

// While the store cannot be written the desk waits, acknowledges nothing, publishes that
// it is offline, and stops within five seconds when it is asked to. When the store
// can be written again it goes on with what came meanwhile.
func TestE2EStoreThatCannotBeWritten(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		b := brokertest.Start(t, brokertest.Options{})
		d := newDesk(t, "--broker", b.URL(), "--store", place)
		d.startDesk()
		d.ready()
		c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")
		c.Publish("yuanlu/v1/t-1/up/case", false, desktest.Case{Seq: 1}.JSON())
		desktest.Eventually(t, 10*time.Second, "acknowledged", func() bool { n, _ := c.Acked("S1"); return n == 1 })
		free := lock(t, place)
		c.Publish("yuanlu/v1/t-1/up/case", false, desktest.Case{Seq: 2}.JSON())
		<-time.After(time.Second)
		begun := time.Now()
		code := d.stop()
		if took := time.Since(begun); code != exitOK || took > 5*time.Second {
			t.Errorf("exit %d after %v", code, took)
		}
		if n, _ := c.Acked("S1"); n != 1 {
			t.Errorf("%d acknowledged, which nothing holds", n)
		}
		free()
		d.startDesk() // a persistent session: what was not taken waits at the broker
		desktest.Eventually(t, 10*time.Second, "acknowledged after all", func() bool { n, _ := c.Acked("S1"); return n == 2 })
	})
}

// PostgreSQL ends and comes back: the desk waits, prints what to do, and nothing is
// acknowledged that no store holds.
func TestE2EDatabaseAway(t *testing.T) {
	place := cluster.Database(t)
	b := brokertest.Start(t, brokertest.Options{})
	d := newDesk(t, "--broker", b.URL(), "--store", place)
	d.startDesk()
	d.ready()
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#", "yuanlu/v1/_host/desk/state")
	last := func() string {
		h := c.Received()
		for i := len(h) - 1; i >= 0; i-- {
			if strings.HasSuffix(h[i].Topic, "/state") {
				return string(h[i].Payload)
			}
		}
		return ""
	}
	cluster.Halt()
	back := false
	defer func() {
		if !back {
			_ = cluster.Resume()
		}
	}()
	for n := range int64(5) {
		c.Publish("yuanlu/v1/t-1/up/case", false, desktest.Case{Seq: n + 1}.JSON())
	}
	desktest.Eventually(t, 20*time.Second, "offline published", func() bool { return strings.Contains(last(), `"online":false`) })
	if n, _ := c.Acked("S1"); n != 0 || !strings.Contains(d.log.String(), "store.away") || !strings.Contains(d.log.String(), "start the database") {
		t.Errorf("%d acknowledged; %s", n, tail(d.log.String(), 3))
	}
	if err := cluster.Resume(); err != nil {
		t.Fatal(err)
	}
	back = true
	desktest.Eventually(t, 30*time.Second, "acknowledged", func() bool { n, _ := c.Acked("S1"); return n == 5 })
	desktest.Eventually(t, 20*time.Second, "online published", func() bool { return strings.Contains(last(), `"online":true`) })
	d.ready()
}

// A broker that takes everything and answers nothing does not hold up the end.
func TestE2EStopsBeforeAFrozenBroker(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	d := newDesk(t, "--broker", b.URL(), "--store", filepath.Join(t.TempDir(), "desk.db"))
	d.startDesk()
	d.ready()
	b.Freeze()
	defer b.Thaw()
	begun := time.Now()
	if code := d.stop(); code != exitOK || time.Since(begun) > 5*time.Second {
		t.Errorf("exit %d after %v", code, time.Since(begun))
	}
}

// Each thing that keeps a desk from its broker is printed with what to do about it.
func TestE2EBrokerAwayIsSaidWithItsRemedy(t *testing.T) {
	ca := brokertest.NewAuthority(t)
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	b := brokertest.Start(t, brokertest.Options{Authority: ca, Server: ca.Server(from, until, "localhost"), RequireClientCert: true})
	closed := fmt.Sprintf("tcp://127.0.0.1:%d", brokertest.FreePort(t))
	users := brokertest.Start(t, brokertest.Options{Passwords: map[string]string{"backoffice": "sesame"}})
	local := strings.Replace(b.URL(), "127.0.0.1", "localhost", 1)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--broker", closed}, "nothing listens there"},
		{[]string{"--broker", local}, "--ca-file"},
		{[]string{"--broker", b.URL(), "--ca-file", ca.CAFile}, "--server-name"},
		{[]string{"--broker", local, "--ca-file", ca.CAFile}, "--cert-file"},
		{[]string{"--broker", users.URL(), "--username", "nobody"}, "refuses this user"},
		{[]string{"--broker", strings.Replace(users.URL(), "tcp://", "tls://", 1)}, "its port for TLS"},
	} {
		d := newDesk(t, append(tc.args, "--store", filepath.Join(t.TempDir(), "desk.db"))...)
		d.startDesk()
		desktest.Eventually(t, 10*time.Second, strings.Join(tc.args, " ")+": "+tc.want, func() bool { return strings.Contains(d.log.String(), tc.want) })
		d.kill()
	}
}
