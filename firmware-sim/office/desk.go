package office

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// answerTime is how long the desk may take for one answer.
const answerTime = 20 * time.Second

// seat is one person at the desk's API, logged in.
type seat struct {
	url, id, csrf string
	cookie        *http.Cookie
	client        *http.Client
}

// shown is what a person sees of a case: casework.md § 10.
type shown struct {
	No         string `json:"no"`
	Version    int64  `json:"version"`
	Hash       string `json:"hash"`
	State      string `json:"state"`
	Outcome    string `json:"outcome"`
	MergedInto string `json:"merged_into"`
	Refunds    []struct {
		ID        string `json:"id"`
		Role      string `json:"role"`
		Outcome   string `json:"outcome"`
		Amount    int64  `json:"amount"`
		Currency  string `json:"currency"`
		Cancelled bool   `json:"cancelled"`
	} `json:"refunds"`
}

// answer is what the desk answers to a command: events and the case, or a refusal.
type answer struct {
	Events []json.RawMessage `json:"events"`
	Case   shown             `json:"case"`
	Error  struct {
		Code string `json:"code"`
	} `json:"error"`
}

// sit logs a person in with the first password and changes it, as the desk demands; it returns the new one.
func sit(ctx context.Context, url, id, first string) (*seat, string, error) {
	s := &seat{url: url, id: id, client: &http.Client{Timeout: answerTime}}
	var in struct {
		CSRF       string `json:"csrf"`
		MustChange bool   `json:"must_change"`
	}
	if err := s.post(ctx, "/v1/login", map[string]string{"login": id, "password": first}, &in); err != nil {
		return nil, "", err
	}
	if in.CSRF == "" || !in.MustChange {
		return nil, "", fmt.Errorf("login of %s: want a session whose password must be changed", id)
	}
	s.csrf = in.CSRF
	own := rand.Text()
	if err := s.post(ctx, "/v1/password", map[string]string{"old": first, "new": own}, &in); err != nil {
		return nil, "", err
	}
	s.csrf = in.CSRF
	return s, own, nil
}

// post sends v as JSON, which must be accepted, and decodes the answer into to.
func (s *seat) post(ctx context.Context, path string, v, to any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.accepted(ctx, http.MethodPost, path, body, to)
}

// get asks a question that must be answered.
func (s *seat) get(ctx context.Context, path string, to any) error {
	return s.accepted(ctx, http.MethodGet, path, nil, to)
}

// accepted sends a request that must not be refused.
func (s *seat) accepted(ctx context.Context, method, path string, body []byte, to any) error {
	status, err := s.send(ctx, method, path, "", "application/json", body, to)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s %s by %s: status %d", method, path, s.id, status)
	}
	return err
}

// send sends a request of the person; a new session that comes with the answer is used from then on.
func (s *seat) send(ctx context.Context, method, path, key, kind string, body []byte, to any) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, value := range map[string]string{"Content-Type": kind, "Idempotency-Key": key, "X-CSRF-Token": s.csrf} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if s.cookie != nil { // no jar: one would not send a Secure cookie over the loopback without TLS
		r.AddCookie(s.cookie)
	}
	rsp, err := s.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rsp.Body.Close() }() // only read
	for _, c := range rsp.Cookies() {
		if c.Name == "__Host-yuanlu" {
			s.cookie = &http.Cookie{Name: c.Name, Value: c.Value}
		}
	}
	text, err := io.ReadAll(io.LimitReader(rsp.Body, 16<<20))
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		return 0, fmt.Errorf("%s %s: status %d, no JSON: %w", method, path, rsp.StatusCode, err)
	}
	return rsp.StatusCode, nil
}
