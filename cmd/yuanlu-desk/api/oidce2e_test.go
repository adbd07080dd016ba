package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// realProvider builds and starts the provider of ../oidc/testdata/provider, a module of its
// own: what it needs is none of the desk's (.txt, because go vet of this module does not know
// it). It returns the issuer.
func realProvider(t *testing.T, back string) string {
	t.Helper()
	dir := t.TempDir()
	people := map[string]map[string]any{}
	for _, id := range []string{"ann", "eve"} {
		people["sub-"+id] = map[string]any{"ID": "sub-" + id, "Username": id, "Password": "at-the-provider"}
	}
	text, err := json.Marshal(people)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "people.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"main.go.txt": "main.go", "go.mod": "go.mod", "go.sum": "go.sum"} {
		b, err := os.ReadFile(filepath.Join("../oidc/testdata/provider", from))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "provider", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	run := exec.Command(filepath.Join(dir, "provider"), filepath.Join(dir, "people.json"), back)
	in, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends
		_ = run.Wait()
	})
	issuer, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(issuer)
}

var request = regexp.MustCompile(`name="id" value="([^"]+)"`)

// atTheProvider logs in there with a password, and returns where the browser is sent then.
func atTheProvider(t *testing.T, where, who string) *url.URL {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var back *url.URL
	c := http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/v1/oidc/back") {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	rsp, err := c.Get(where)
	if err != nil {
		t.Fatal(err)
	}
	defer rsp.Body.Close()
	form, err := io.ReadAll(rsp.Body)
	id := request.FindStringSubmatch(string(form))
	if err != nil || id == nil {
		t.Fatalf("%s %v %s", rsp.Status, err, form)
	}
	rsp2, err := c.PostForm(rsp.Request.URL.Scheme+"://"+rsp.Request.URL.Host+"/login/username", url.Values{"id": {id[1]}, "username": {who}, "password": {"at-the-provider"}})
	if err != nil {
		t.Fatal(err)
	}
	defer rsp2.Body.Close()
	if back == nil {
		t.Fatalf("%s %s", rsp2.Status, rsp2.Request.URL)
	}
	return back
}

// TestE2EProvider: people log in by a certified implementation of a provider, with its own
// page for passwords. A code is good once, and only with the verifier of its login.
func TestE2EProvider(t *testing.T) {
	o := newOffice(t, filepath.Join(t.TempDir(), "desk.db"))
	o.hire("ann", "analyst", "*")
	o.hire("eve", "analyst", "*")
	// The provider must know the desk's address, the desk the provider's.
	relay := &relayed{}
	front := relay.serve(t)
	issuer := realProvider(t, front+"/v1/oidc/back")
	o.atProvider(issuer)
	relay.to(o.api)
	o.server.URL = front
	o.bound("ann", issuer, "sub-ann")

	begin := func() (*browser, *url.URL) {
		b := &browser{o, map[string]string{}}
		rsp, text := b.get(front + "/v1/oidc/login")
		where, err := rsp.Location()
		if err != nil {
			t.Fatalf("%s %s", rsp.Status, text)
		}
		return b, where
	}
	b, where := begin()
	back := atTheProvider(t, where.String(), "ann")
	old := b.jar["__Host-yuanlu-oidc"]
	if rsp, text := b.get(back.String()); rsp.StatusCode != 200 {
		t.Fatalf("%s %s", rsp.Status, text)
	}
	o.want(&worker{o, "__Host-yuanlu=" + b.jar["__Host-yuanlu"], ""}, 200, `"id":"ann"`, "GET", "/v1/me", "")

	// The same code again, with the cookie that somebody kept.
	thief := &browser{o, map[string]string{"__Host-yuanlu-oidc": old}}
	if rsp, text := thief.get(back.String()); rsp.StatusCode != 401 || thief.jar["__Host-yuanlu"] != "" {
		t.Errorf("a replayed code: %s %s", rsp.Status, text)
	}
	// A code of another login: it is not for this verifier.
	_, where = begin()
	stolen := atTheProvider(t, where.String(), "ann").Query().Get("code")
	mine, where := begin()
	if rsp, text := mine.end(url.Values{"code": {stolen}, "state": {where.Query().Get("state")}}); rsp.StatusCode != 401 || mine.jar["__Host-yuanlu"] != "" {
		t.Errorf("an injected code: %s %s", rsp.Status, text)
	}
	// Known there, not here: no person is made.
	eve, where := begin()
	if rsp, text := eve.get(atTheProvider(t, where.String(), "eve").String()); rsp.StatusCode != 403 || !strings.Contains(text, "sub-eve") || eve.jar["__Host-yuanlu"] != "" {
		t.Errorf("an unknown identity: %s %s", rsp.Status, text)
	}
}
