package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
)

//go:embed static templates
var files embed.FS

// static serves styles and script under an address that changes with their content.
type static struct {
	body map[string][]byte // by name
	sum  map[string]string
}

func newStatic() (*static, error) {
	s := &static{body: map[string][]byte{}, sum: map[string]string{}}
	list, err := fs.ReadDir(files, "static")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	for _, f := range list {
		b, err := files.ReadFile("static/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		sum := sha256.Sum256(b)
		s.body[f.Name()], s.sum[f.Name()] = b, hex.EncodeToString(sum[:8])
	}
	return s, nil
}

// address is where a file is; a new content has a new one.
func (s *static) address(name string) string { return "/static/" + s.sum[name] + "/" + name }

// ServeHTTP sends a file; a browser may keep it.
func (s *static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	body, ok := s.body[name]
	if !ok || r.URL.Path != s.address(name) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
}

// templates parses the templates for one language.
func (p *Page) templates(lang string) (*template.Template, error) {
	s := p.texts.speaker(lang)
	set, err := template.New("page").Funcs(template.FuncMap{
		"t":        func(key string) template.HTML { return s.html(key, nil) },
		"plain":    s.text,
		"fill":     s.fill,
		"name":     s.name,
		"named":    s.named,
		"names":    s.names,
		"money":    money,
		"number":   number,
		"digits":   digits,
		"code":     code,
		"when":     s.when,
		"written":  written,
		"mono":     mono,
		"refusal":  s.refusal,
		"options":  options,
		"list":     func(items ...string) []string { return items },
		"args":     args,
		"verdict":  s.verdict,
		"said":     s.said,
		"caselink": caselink,
		"isdirect": direct,
		"step":     step,
	}).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("page: templates: %w", err)
	}
	return set, nil
}

// fill is html with pairs of name and value; values are escaped unless they are markup already.
func (s *speaker) fill(key string, pairs ...any) template.HTML {
	values := map[string]template.HTML{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values[fmt.Sprint(pairs[i])] = markup(pairs[i+1])
	}
	return s.html(key, values)
}

func markup(v any) template.HTML {
	if h, ok := v.(template.HTML); ok {
		return h
	}
	return escaped(fmt.Sprint(v))
}

// args makes what a template hands to another: pairs of name and value.
func args(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// options are the values of an enumeration that a form offers (casework.md § 5).
func options(group string) []string {
	switch group {
	case "profile":
		return store.Profiles()
	case "party":
		return []string{"payer", "recipient", "store", "platform", "bank", "authority", "other"}
	case "direction":
		return []string{"out", "in"}
	case "cchannel":
		return []string{"phone", "wechat", "message", "email", "letter", "in_person"}
	case "result":
		return []string{"no_answer", "reached", "agreed", "refused", "confirmed"}
	case "method":
		return []string{"callback", "channel", "document"}
	case "for":
		return []string{"store", "platform", "payer", "recipient", "bank", "other"}
	case "route":
		return []string{"void", "reversal", "acquirer", "platform", "direct"}
	case "body":
		return []string{"acquirer", "platform", "12315", "legal", "police", "other"}
	case "role":
		return []string{"refund", "reissue"}
	case "way":
		return []string{"original", "other"}
	case "bearer":
		return []string{"merchant", "insurer", "platform", "other"}
	case "close":
		return []string{"wrong", "legal", "same_account", "rerouted_ok", "authorised_other", "record_error", "test", "inconclusive", "duplicate"}
	case "filekind":
		return []string{"receipt", "screenshot", "statement", "consent", "letter", "identity", "recording", "record", "other"}
	case "channel":
		return []string{"card", "wechat", "alipay", "unionpay_qr", "jd", "ecny", "cash", "unknown"}
	case "personrole":
		return []string{"cashier", "manager", "analyst", "checker", "supervisor", "finance", "auditor", "admin"}
	}
	return nil
}

// said is what a terminal wrote in both languages.
func (s *speaker) said(english, chinese string) template.HTML {
	switch {
	case s.lang == en || chinese == "":
		return written(english)
	case s.lang == zh || english == "":
		return written(chinese)
	}
	return written(chinese) + " " + written(english)
}

// verdict is what the terminal decided about a refund.
func (s *speaker) verdict(decision, recipient string) template.HTML {
	return s.each(func(s *speaker) template.HTML {
		return s.html("sides.verdict", map[string]template.HTML{"decision": s.named("decision", decision), "recipient": s.named("recipient", recipient)})
	})
}

// caselink leads to another case.
func caselink(no string) template.HTML {
	return `<a class="mono" href="/case/` + escaped(url.PathEscape(no)) + `">` + escaped(no) + `</a>`
}

// steps is how many commands have a key of their own, 1 to 4 (casework.md § 14, 9).
const steps = 4

// step is the key of the i-th of the other commands, where the suggested one has the first;
// 0: it has none.
func step(i int, suggested *action) int {
	if suggested != nil {
		i++
	}
	if i++; i > steps {
		return 0
	}
	return i
}
