package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/holds"
	"yuanlu/cmd/yuanlu-desk/store"
)

// work adds what people do (casework.md § 13).
func (a *API) work() {
	a.handle("POST /v1/login", a.login)
	a.handle("POST /v1/logout", a.with(a.logout))
	a.handle("GET /v1/me", a.with(a.me))
	a.handle("POST /v1/password", a.with(a.password))
	a.handle("POST /v1/work/{do}", a.with(a.command))
	a.handle("POST /v1/work/file", a.with(a.putFile))
	a.handle("POST /v1/work/bills", a.with(a.putBills))
	a.handle("POST /v1/work/password", a.with(a.firstPassword))
	a.handle("POST /v1/work/export", a.with(a.makePack))
	a.handle("GET /v1/work/cases/{no}", a.with(a.workCase))
	a.handle("GET /v1/work/cases/{no}/journal", a.with(a.journal))
	a.handle("GET /v1/work/cases/{no}/files/{seq}", a.with(a.getFile))
	a.handle("GET /v1/work/cases/{no}/packs/{pack}", a.with(a.getPack))
	a.handle("GET /v1/work/lists/{name}", a.with(a.list))
	a.handle("GET /v1/work/find", a.with(a.find))
	a.handle("GET /v1/work/stats", a.with(a.stats))
	a.handle("GET /v1/work/reads", a.with(a.reads))
	a.handle("GET /v1/work/people", a.with(a.staff))
}

// quoted is a text as JSON.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // a text can always be written
		return `""`
	}
	return string(b)
}

// command runs a command: the body has its arguments, the session who ordered it, the desk's
// clock when.
func (a *API) command(w http.ResponseWriter, r *http.Request, s *session) {
	text, ok := a.text(w, r)
	if !ok {
		return
	}
	text = bytes.TrimSpace(text)
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		a.refused(w, casework.BadInput)
		return
	}
	members := `"by":` + quoted(s.Person) + `,"do":` + quoted(r.PathValue("do")) + key(r)
	if rest := bytes.TrimSpace(text[1 : len(text)-1]); len(rest) > 0 { // a member twice is refused there
		members += "," + string(rest)
	}
	got, done, err := a.o.Store.Work(r.Context(), a.o.Now(), s.Person, members)
	a.done(w, r, got, done, err)
}

// key is the member of the header Idempotency-Key.
func key(r *http.Request) string {
	if k := r.Header.Get("Idempotency-Key"); k != "" {
		return `,"key":` + quoted(k)
	}
	return ""
}

func (a *API) done(w http.ResponseWriter, r *http.Request, got casework.Answer, done store.Worked, err error) {
	switch {
	case err != nil:
		a.broken(w, r, err)
	case got.Refused != "":
		a.refused(w, got.Refused)
	default:
		a.respond(w, http.StatusOK, done)
	}
}

// ask answers a question of a person with what answer makes of it; it is in the reading log.
func (a *API) ask(w http.ResponseWriter, r *http.Request, s *session, members string, answer func(casework.Answer) (any, error)) {
	got, _, err := a.o.Store.Work(r.Context(), a.o.Now(), s.Person, `"by":`+quoted(s.Person)+`,`+members)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	if got.Refused != "" {
		a.refused(w, got.Refused)
		return
	}
	v, err := answer(got)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	a.respond(w, http.StatusOK, v)
}

// query reads the members of a question; false if it answered instead.
func (a *API) query(w http.ResponseWriter, r *http.Request, read func(*query)) bool {
	q := &query{r: r, values: r.URL.Query()}
	read(q)
	if err := q.done(); err != nil {
		a.refused(w, casework.BadInput)
		return false
	}
	return true
}

func none(*query) {}

func (a *API) workCase(w http.ResponseWriter, r *http.Request, s *session) {
	if a.query(w, r, none) {
		no := r.PathValue("no")
		a.ask(w, r, s, `"show":`+quoted(no), func(got casework.Answer) (any, error) {
			sides, err := a.o.Store.Sides(r.Context(), no)
			return map[string]any{"case": got.Case, "refunds": sides}, err
		})
	}
}

func (a *API) journal(w http.ResponseWriter, r *http.Request, s *session) {
	after := int64(0)
	if a.query(w, r, func(q *query) { after = q.n("after") }) {
		no := r.PathValue("no")
		a.ask(w, r, s, `"show":`+quoted(no), func(casework.Answer) (any, error) {
			list, err := a.o.Store.Journal(r.Context(), no, after)
			return map[string]any{"events": list}, err
		})
	}
}

func (a *API) list(w http.ResponseWriter, r *http.Request, s *session) {
	if a.query(w, r, none) {
		a.ask(w, r, s, `"list":`+quoted(r.PathValue("name")), cases)
	}
}

func (a *API) find(w http.ResponseWriter, r *http.Request, s *session) {
	text := ""
	if a.query(w, r, func(q *query) { text = q.text("text") }) {
		a.ask(w, r, s, `"find":`+quoted(text), cases)
	}
}

func cases(got casework.Answer) (any, error) { return map[string]any{"cases": got.Cases}, nil }

func (a *API) stats(w http.ResponseWriter, r *http.Request, s *session) {
	from, to := "", ""
	if !a.query(w, r, func(q *query) { from, to = q.text("from"), q.text("to") }) {
		return
	}
	var answer struct {
		*casework.Stats
		Prevented holds.Prevention `json:"prevented"`
	}
	got, err := a.o.Store.Look(r.Context(), a.o.Now(), s.Person, `"by":`+quoted(s.Person)+`,"stats":{"from":`+quoted(from)+`,"to":`+quoted(to)+`}`,
		func(l *store.Looking, got casework.Answer) (err error) {
			answer.Stats = got.Stats
			answer.Prevented, err = l.Prevented(s.Person, from, to, a.o.Now())
			return err
		})
	switch {
	case err != nil:
		a.broken(w, r, err)
	case got.Refused != "":
		a.refused(w, got.Refused)
	default:
		a.respond(w, http.StatusOK, &answer)
	}
}

func (a *API) reads(w http.ResponseWriter, r *http.Request, s *session) {
	after := int64(0)
	if a.query(w, r, func(q *query) { after = q.n("after") }) {
		a.ask(w, r, s, `"reads":true`, func(casework.Answer) (any, error) {
			list, err := a.o.Store.Reads(r.Context(), after)
			return map[string]any{"reads": list}, err
		})
	}
}

func (a *API) staff(w http.ResponseWriter, r *http.Request, s *session) {
	if !slices.Contains(s.person.Roles, "admin") {
		a.refused(w, casework.NotAllowed)
		return
	}
	if a.query(w, r, none) { // the desk's journal is what is looked at
		a.ask(w, r, s, `"show":"desk"`, func(casework.Answer) (any, error) {
			list, err := a.o.Store.People(r.Context())
			return map[string]any{"people": list}, err
		})
	}
}

// putFile files a document: the desk counts, hashes and looks at it itself.
func (a *API) putFile(w http.ResponseWriter, r *http.Request, s *session) {
	var no, name, kind string
	if !a.query(w, r, func(q *query) { no, name, kind = q.text("case"), q.text("name"), q.text("kind") }) {
		return
	}
	most, err := a.o.Store.FileBytes(r.Context())
	if err != nil {
		a.broken(w, r, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		a.refused(w, casework.FileSize)
		return
	}
	said, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || said != fileType(body) {
		a.refused(w, casework.FileType)
		return
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	members := fmt.Sprintf(`"by":%s,"do":"file"%s,"case":%s,"name":%s,"type":%s,"size":%d,"sha256":%q,"kind":%s`,
		quoted(s.Person), key(r), quoted(no), quoted(name), quoted(said), len(body), hash, quoted(kind))
	got, done, err := a.o.Store.WorkFile(r.Context(), a.o.Now(), s.Person, members, hash, said, body)
	a.done(w, r, got, done, err)
}

// fileType is what the first bytes of a file show it to be; "" for what is not taken.
func fileType(b []byte) string {
	has := func(at int, magic string) bool {
		return len(b) >= at+len(magic) && string(b[at:at+len(magic)]) == magic
	}
	switch {
	case has(0, "%PDF-"):
		return "application/pdf"
	case has(0, "\xff\xd8\xff"):
		return "image/jpeg"
	case has(0, "\x89PNG\r\n\x1a\n"):
		return "image/png"
	case has(0, "RIFF") && has(8, "WEBP"):
		return "image/webp"
	case has(4, "ftyp"):
		return "audio/mp4"
	case has(0, "ID3"), len(b) > 2 && b[0] == 0xff && b[1]&0xe6 == 0xe2: // MPEG audio, layer III
		return "audio/mpeg"
	case len(b) > 0 && utf8.Valid(b) && !bytes.ContainsRune(b, 0):
		return "text/plain"
	}
	return ""
}

// getFile sends a file of a case, as one to be saved; its hash is checked each time.
func (a *API) getFile(w http.ResponseWriter, r *http.Request, s *session) {
	if !a.query(w, r, none) {
		return
	}
	no := r.PathValue("no")
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	got, _, err2 := a.o.Store.Work(r.Context(), a.o.Now(), s.Person, `"by":`+quoted(s.Person)+`,"show":`+quoted(no))
	switch {
	case err2 != nil:
		a.broken(w, r, err2)
		return
	case got.Refused != "" || err != nil:
		a.refused(w, casework.NotFound)
		return
	}
	f, err := a.o.Store.File(r.Context(), no, seq)
	if err != nil {
		a.refused(w, casework.BadFile)
		return
	}
	if sum := sha256.Sum256(f.Body); hex.EncodeToString(sum[:]) != f.SHA256 {
		a.o.Log.Error("file.damaged", "case", no, "event", seq)
		a.refuse(w, damaged)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.Type)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": strings.Map(plain, f.Name)}))
	_, _ = w.Write(f.Body) // a client that went away does not get it
}

// plain keeps what may stand in the name of a file.
func plain(c rune) rune {
	if c < ' ' || strings.ContainsRune(`/\"`, c) {
		return '_'
	}
	return c
}
