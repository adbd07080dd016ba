package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/evidence"
)

// TestPacksOverHTTP: who works on a case makes a pack of what he looked at and saves its very bytes; others may
// not, and an authority that does not stamp holds up nothing.
func TestPacksOverHTTP(t *testing.T) { offices(t, checkPacksOverHTTP) }

func checkPacksOverHTTP(t *testing.T, o *office) {
	key, err := evidence.NewSigner("yuanlu-desk/d", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.s.SetCosigner(t.Context(), o.clock(), key); err != nil {
		t.Fatal(err)
	}
	o.server.Close()
	o.api = api.New(api.Options{Store: o.s, Token: "sesame", Now: o.clock, Log: slog.New(slog.NewTextHandler(o.log, nil)),
		Export: func(ctx context.Context, x store.Exporting) (store.Exported, error) {
			x.Program = "test"
			x.Stamper = func([]byte) ([]byte, error) { return nil, errors.New("the authority is away") }
			return o.s.Export(ctx, o.clock(), x)
		}})
	o.server = httptest.NewServer(o.api)
	for id, role := range map[string]string{"ann": "analyst", "aud": "auditor", "cash": "cashier"} {
		o.hire(id, role, "s1")
	}
	o.hire("far", "manager", "s2")
	o.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON())
	ann, aud, cash, far := o.enter("ann"), o.enter("aud"), o.enter("cash"), o.enter("far")
	body := func(profile string, expect int) string {
		return fmt.Sprintf(`{"case":%q,"for":%q,"reader":"银行 \"A\" <b>","expect":%d}`, workCase, profile, expect)
	}
	const route = "/v1/work/export"
	o.want(aud, 403, "not_allowed", "POST", route, body("bank", 2))
	o.want(cash, 403, "not_allowed", "POST", route, body("bank", 2))
	o.want(far, 404, "not_found", "POST", route, body("bank", 2))
	o.want(ann, 400, "bad_input", "POST", route, body("press", 2))
	o.want(ann, 400, "bad_input", "POST", route, body("bank", 0))
	o.want(ann, 400, "bad_input", "POST", route, strings.ReplaceAll(body("bank", 2), "银", `\n`))
	o.want(ann, 409, "stale", "POST", route, body("bank", 1))
	o.want(ann, 404, "not_found", "POST", route, strings.ReplaceAll(body("bank", 2), workCase, "C-2026-999999"))
	o.want(&worker{cookie: ann.cookie}, 403, "csrf", "POST", route, body("bank", 2))
	text := o.want(ann, 200, `"stamped":false`, "POST", route, body("bank", 2))
	_, schemas := document(t)
	schema, err := schemas.Compile("urn:desk#/paths/" + escape(route) + "/post/responses/200/content/" + escape("application/json") + "/schema")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err == nil {
		err = schema.Validate(answer)
	}
	var made struct{ Pack, SHA256 string }
	if bad := json.Unmarshal([]byte(text), &made); err != nil || bad != nil || made.Pack != "E-2026-000001" {
		t.Fatal(err, bad, text)
	}
	at := "/v1/work/cases/" + workCase + "/packs/" + made.Pack
	rsp, file := o.send(ann, "GET", at, "")
	if sum := sha256.Sum256([]byte(file)); rsp.StatusCode != 200 || hex.EncodeToString(sum[:]) != made.SHA256 || rsp.Header.Get("Content-Disposition") != "attachment; filename=E-2026-000001.asice" {
		t.Errorf("%s %v: other bytes than %s", rsp.Status, rsp.Header, text)
	}
	const once = "Idempotency-Key: once"
	first := o.want(ann, 200, "E-2026-000002", "POST", route, body("court", 2), once)
	if again := o.want(ann, 200, "E-2026-000002", "POST", route, body("court", 2), once); again != first {
		t.Error("the same key has another answer")
	}
	o.want(aud, 403, "not_allowed", "GET", at, "")
	o.want(far, 404, "not_found", "GET", at, "")
	o.want(ann, 404, "not_found", "GET", strings.ReplaceAll(at, "E-2026-000001", "E-2026-000003"), "")
	if again, err := o.s.Again(t.Context(), made.Pack); err != nil || again.Profile != "bank" || again.Version != 2 || again.Signed || again.Stamped || !strings.HasPrefix(again.For, "银行") {
		t.Errorf("again: %+v %v", again, err)
	}
}
