package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrOptions is the class of settings that cannot be used.
var ErrOptions = errors.New("notify: settings")

// Webhook posts notices as JSON, signed as Standard Webhooks has it: the headers webhook-id,
// webhook-timestamp (Unix seconds) and webhook-signature, "v1," and the base64 of HMAC-SHA256
// over id.timestamp.body.
type Webhook struct {
	url    string
	secret []byte
	client *http.Client
	now    func() time.Time
}

// NewWebhook returns one. A secret that begins with whsec_ is base64; any other is its bytes,
// 24 at least. ErrOptions.
func NewWebhook(to, secret string, now func() time.Time) (*Webhook, error) {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%w: --webhook wants https://host/path", ErrOptions)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !local(u.Hostname())) {
		return nil, fmt.Errorf("%w: --webhook wants https:// beyond this machine", ErrOptions)
	}
	key := []byte(secret)
	if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if key, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, fmt.Errorf("%w: --webhook-secret: whsec_ and base64", ErrOptions)
		}
	}
	if len(key) < 24 {
		return nil, fmt.Errorf("%w: --webhook-secret: %d bytes, want 24 at least", ErrOptions, len(key))
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Webhook{to, key, c, now}, nil
}

// Send posts a notice; any answer of 200 to 299 is taken as delivered.
func (w *Webhook) Send(ctx context.Context, m *Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	at := strconv.FormatInt(w.now().Unix(), 10)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("User-Agent", "yuanlu-desk")
	q.Header.Set("webhook-id", m.ID)
	q.Header.Set("webhook-timestamp", at)
	q.Header.Set("webhook-signature", "v1,"+w.sign(m.ID, at, body))
	rsp, err := w.client.Do(q)
	if err != nil {
		return plain(err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(rsp.Body, 64<<10)) // so that the connection can serve again
	if err = errors.Join(err, rsp.Body.Close()); err != nil {
		return err
	}
	if rsp.StatusCode < 200 || rsp.StatusCode > 299 {
		return fmt.Errorf("the webhook answers %d", rsp.StatusCode)
	}
	return nil
}

// plain is an error without the URL, which may hold a secret path.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("the webhook cannot be reached: %w", u.Err)
	}
	return err
}

func (w *Webhook) sign(id, at string, body []byte) string {
	h := hmac.New(sha256.New, w.secret)
	fmt.Fprintf(h, "%s.%s.%s", id, at, body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
