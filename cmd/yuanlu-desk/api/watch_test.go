package api_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
)

// watching is the stream of a session, as "id data" and "" at its end.
func (w *worker) watching(base, query string, header ...string) <-chan string {
	o := w.o
	o.t.Helper()
	q, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, base+"/v1/stream"+query, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	q.Header.Set("Cookie", w.cookie)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		q.Header.Set(name, value)
	}
	rsp, err := http.DefaultClient.Do(q)
	if err != nil || rsp.StatusCode != 200 || rsp.Header.Get("Content-Type") != "text/event-stream" {
		o.t.Fatal(rsp, err)
	}
	out := make(chan string, 5000)
	go func() { // ends with the test at the latest
		defer close(out)
		defer rsp.Body.Close()
		id := ""
		for lines := bufio.NewScanner(rsp.Body); lines.Scan(); {
			if v, found := strings.CutPrefix(lines.Text(), "id: "); found {
				id = v
			}
			if v, found := strings.CutPrefix(lines.Text(), "data: "); found {
				out <- id + " " + v
			}
		}
	}()
	return out
}

const soon = 30 * time.Second

// next returns the next message without its id, "" at the end of the stream.
func next(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case got := <-from:
		_, data, _ := strings.Cut(got, " ")
		return data
	case <-time.After(soon):
		t.Fatal("nothing came")
		return ""
	}
}

func changed(no string, version int) string {
	return fmt.Sprintf(`{"case":%q,"version":%d}`, no, version)
}

// TestWatch: a session is sent what its person sees of what changes, and nothing else.
func TestWatch(t *testing.T) { offices(t, checkWatch) }

func checkWatch(t *testing.T, o *office) {
	for id, role := range map[string]string{"ann": "analyst", "aud": "auditor", "adm": "admin"} {
		o.hire(id, role, "*")
	}
	o.hire("lu", "manager", "s2")
	ann, lu, aud, adm := o.enter("ann"), o.enter("lu"), o.enter("aud"), o.enter("adm")
	anns, lus, auds, adms := ann.watching(o.server.URL, ""), lu.watching(o.server.URL, ""), aud.watching(o.server.URL, ""), adm.watching(o.server.URL, "")

	o.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON()) // of s1
	first := <-anns
	if _, data, _ := strings.Cut(first, " "); data != changed(workCase, 2) {
		t.Errorf("got %q", first)
	}
	o.want(ann, 200, "claimed", "POST", "/v1/work/claim", `{"case":"`+workCase+`","expect":2}`)
	if got := next(t, anns); got != changed(workCase, 3) {
		t.Errorf("got %q", got)
	}
	o.publish("t-1/up/case", desktest.Case{Seq: 2, Merchant: "M2"}.JSON())
	if got := next(t, lus); got != changed("C-2026-000002", 2) { // and nothing of the first case before
		t.Errorf("got %q", got)
	}
	o.hire("new", "cashier", "s1")
	if got := next(t, adms); got != changed(casework.DeskJournal, 5) { // looks at no case
		t.Errorf("got %q", got)
	}
	for _, want := range []string{changed(workCase, 2), changed(workCase, 3), changed("C-2026-000002", 2), changed(casework.DeskJournal, 5)} {
		if got := next(t, auds); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	// One that comes again misses nothing, and each case comes once.
	id, _, _ := strings.Cut(first, " ")
	for _, again := range []<-chan string{ann.watching(o.server.URL, "?after="+id), ann.watching(o.server.URL, "", "Last-Event-ID: "+id)} {
		for _, want := range []string{changed(workCase, 3), changed("C-2026-000002", 2)} {
			if got := next(t, again); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	o.want(ann, 400, "bad_input", "GET", "/v1/stream?after=x", "")
	o.want(ann, 400, "bad_input", "GET", "/v1/stream?kinds=case", "")
	o.want(&worker{o, "__Host-yuanlu=no", ""}, 401, "login", "GET", "/v1/stream", "") // not the stream of a token
}

// TestWatchBehind: a session that was away comes to what the desk keeps in no list any more.
func TestWatchBehind(t *testing.T) { offices(t, checkWatchBehind) }

func checkWatchBehind(t *testing.T, o *office) {
	o.hire("ann", "analyst", "*")
	const all = 600 // more than one look reads
	var batch []store.Message
	for n := range int64(all) {
		m, _ := o.decode.Decode("yuanlu/v1/t-1/up/case", desktest.Case{Seq: n + 1}.JSON(), false, o.clock())
		batch = append(batch, m)
	}
	if _, err := o.s.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	got := o.enter("ann").watching(o.server.URL, "?after=0")
	last := ""
	for n := range all {
		one, want := next(t, got), changed(fmt.Sprintf("C-2026-%06d", n+1), 2)
		if one == last { // a look ended between its two events
			one = next(t, got)
		}
		if last = want; one != want {
			t.Fatalf("got %q, want %q", one, want)
		}
	}
}

// TestWatchEnds: a stream ends with its session, and keeps none.
func TestWatchEnds(t *testing.T) { offices(t, checkWatchEnds) }

func checkWatchEnds(t *testing.T, o *office) {
	o.hire("adm", "admin", "*")
	for name, end := range map[string]func(*worker){
		"logout": func(w *worker) { o.want(w, 200, "out", "POST", "/v1/logout", "{}") },
		"a new password": func(w *worker) {
			o.want(w, 200, "csrf", "POST", "/v1/password", `{"old":"`+secret+`","new":"another long secret"}`)
		},
		"idle": func(w *worker) {
			o.wait(59 * time.Minute)
			o.watched(w) // is no use
			o.wait(2 * time.Minute)
		},
		"a change of the person": func(*worker) {
			o.want(o.enter("adm"), 200, "person_set", "POST", "/v1/work/person", `{"person":{"id":"a-change-of-the-person","staff":"a-change-of-the-person","roles":["cashier"],"stores":["*"],"operators":[],"active":true}}`)
			o.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON())
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(name, " ", "-")
			o.hire(id, "analyst", "*")
			w := o.enter(id)
			stream := w.watching(o.server.URL, "")
			end(w)
			if got := next(t, stream); got != "" {
				t.Errorf("got %q of a session that ended", got)
			}
		})
	}
	o.hire("eve", "analyst", "*")
	if err := o.s.SetLogin(t.Context(), "eve", store.Login{Hash: hashOfSecret(), MustChange: true}); err != nil {
		t.Fatal(err)
	}
	o.want(o.enter("eve"), 403, "password_change", "GET", "/v1/stream", "")
}

// watched opens a stream and leaves it.
func (o *office) watched(w *worker) {
	o.t.Helper()
	q, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.server.URL+"/v1/stream", nil)
	if err != nil {
		o.t.Fatal(err)
	}
	q.Header.Set("Cookie", w.cookie)
	rsp, err := http.DefaultClient.Do(q)
	if err != nil || rsp.StatusCode != 200 {
		o.t.Fatal(rsp, err)
	}
	rsp.Body.Close()
}

// TestWatchAcrossDesks: what one desk does, the stream of another one on the same PostgreSQL
// sends.
func TestWatchAcrossDesks(t *testing.T) {
	place := cluster.Database(t)
	o := newOffice(t, place)
	other, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	second := httptest.NewServer(api.New(api.Options{Store: other, Token: "sesame", Now: o.clock, Log: slog.New(slog.DiscardHandler)}))
	defer second.Close()
	defer second.CloseClientConnections()
	o.hire("ann", "analyst", "*")
	ann := o.enter("ann")
	there := ann.watching(second.URL, "")
	o.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON())
	if got := next(t, there); got != changed(workCase, 2) {
		t.Errorf("got %q", got)
	}
	o.want(ann, 200, "out", "POST", "/v1/logout", "{}")
	if got := next(t, there); got != "" {
		t.Errorf("got %q of a session that ended at the other desk", got)
	}
}

// TestWatchIsBounded: a person opens so many streams and no more, and one that is never read
// delays no other and no command.
func TestWatchIsBounded(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.hire("ann", "analyst", "*")
		o.hire("bob", "analyst", "*")
		ann, bob := o.enter("ann"), o.enter("bob")
		for range 8 { // of them the first line is read, which tells that they have a place, and nothing more
			c, err := net.Dial("tcp", strings.TrimPrefix(o.server.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := fmt.Fprintf(c, "GET /v1/stream?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: %s\r\n\r\n", ann.cookie); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
				t.Fatalf("%q %v", line, err)
			}
		}
		desktest.Eventually(t, soon, "the ninth stream is refused", func() bool {
			q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.server.URL+"/v1/stream", nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set("Cookie", ann.cookie)
			rsp, err := http.DefaultClient.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			rsp.Body.Close()
			return rsp.StatusCode == 503
		})
		bobs := bob.watching(o.server.URL, "")
		for n := range int64(40) {
			o.publish("t-1/up/case", desktest.Case{Seq: n + 1}.JSON())
		}
		for n := range 40 {
			if want := changed(fmt.Sprintf("C-2026-%06d", n+1), 2); next(t, bobs) != want {
				t.Fatalf("%s is missing", want)
			}
		}
	})
}
