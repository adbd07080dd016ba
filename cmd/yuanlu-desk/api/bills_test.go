package api_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
)

// TestBillsByAPI: a file is imported by its bytes under its name, once, and the day has the
// lines of the batch interface; without a token nothing is.
func TestBillsByAPI(t *testing.T) {
	r := described(t)
	dir := filepath.Join("..", "bills", "testdata", "shared", "m01-one-of-each-result")
	text := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if err := r.s.TerminalDay(t.Context(), time.Now(), []byte(text("days.jsonl"))); err != nil {
		t.Fatal(err)
	}
	for _, known := range []bool{false, true} {
		rsp, body := r.ask("POST", "/v1/bills?name=..%2Fbill.csv", text("bill.csv"))
		var got store.Imported
		if err := json.Unmarshal(body, &got); err != nil || rsp.StatusCode != http.StatusOK || len(got.Bills) != 1 || got.Bills[0].Known != known || got.Bills[0].File != "bill.csv" || !got.Bills[0].Complete {
			t.Fatalf("%s %s", rsp.Status, body)
		}
	}
	if rsp, body := r.ask("GET", "/v1/days/2026-08-23", ""); string(body) != text("want.jsonl") {
		t.Errorf("%s\n%s", rsp.Status, body)
	}
	open := newRig(t, "")
	rsp, err := http.Post(open.server.URL+"/v1/bills", "application/octet-stream", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	rsp.Body.Close()
	if rsp.StatusCode != http.StatusForbidden {
		t.Errorf("without a token: %s", rsp.Status)
	}
}
