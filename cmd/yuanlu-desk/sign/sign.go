// Package sign owns the back office's signing key: making one, keeping it in a file
// that only its owner reads, and wrapping a payload for one topic of one terminal.
//
// A key file is a PKCS #8 private key in PEM, as openssl reads it too, with a line
// "key id: NAME" before it. Source: topics.md, Signed.
package sign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"yuanlu/protocol/topics"
)

// Classes of errors.
var (
	ErrKey     = errors.New("sign: bad key file")
	ErrOpen    = errors.New("sign: others may read the key file")
	ErrPayload = errors.New("sign: bad payload")
	ErrTopic   = errors.New("sign: bad topic")
)

// Key is a private key with its id. It is never printed.
type Key struct {
	ID      string
	Private ed25519.PrivateKey
}

// String hides the key.
func (k Key) String() string { return "[key " + k.ID + "]" }

// GoString hides the key.
func (k Key) GoString() string { return k.String() }

// Generate makes a key; an empty id becomes one from the public key.
func Generate(id string) (Key, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, err
	}
	if id == "" {
		sum := sha256.Sum256(public)
		id = "desk-" + hex.EncodeToString(sum[:4])
	}
	if err := topics.CheckPart(id); err != nil {
		return Key{}, fmt.Errorf("%w: id: %w", ErrKey, err)
	}
	return Key{ID: id, Private: private}, nil
}

// TOML is what goes into the configuration of every terminal.
func (k Key) TOML() string {
	return fmt.Sprintf("[[backoffice.key]]\nid = %q\npublic_key = %q\n", k.ID, k.PublicKey())
}

// PublicKey is the base64 of the public half.
func (k Key) PublicKey() string {
	public, _ := k.Private.Public().(ed25519.PublicKey)
	return base64.StdEncoding.EncodeToString(public)
}

const idLine = "key id: "

// Write makes the key file; one that exists already is never touched.
func (k Key) Write(path string) (err error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.Private)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(path)
		}
	}()
	if _, err := f.WriteString(idLine + k.ID + "\n"); err != nil {
		return err
	}
	if err := pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
		return err
	}
	return f.Sync()
}

// Read reads a key file. ErrOpen if anybody but its owner may read it, ErrKey if it
// is none. id overrides the one of the file. No error holds any of the key.
func Read(path, id string) (Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Key{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("%w: %s has mode %#o; want 0600", ErrOpen, path, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return Key{}, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" {
		return Key{}, fmt.Errorf("%w: no PRIVATE KEY in PEM in %s", ErrKey, path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return Key{}, fmt.Errorf("%w: %s holds no Ed25519 key", ErrKey, path)
	}
	if id == "" {
		head, _, _ := bytes.Cut(b, []byte("-----BEGIN"))
		for line := range strings.Lines(string(head)) {
			if rest, found := strings.CutPrefix(line, idLine); found {
				id = strings.TrimSpace(rest)
			}
		}
	}
	if err := topics.CheckPart(id); err != nil {
		return Key{}, fmt.Errorf("%w: %s names no key id, and none was given: %w", ErrKey, path, err)
	}
	return Key{ID: id, Private: private}, nil
}

var down = regexp.MustCompile(`^(.+)/v1/([a-z0-9-]{1,64})/dn/(ack|config|cmd/[a-z0-9-]{1,64})$`)

// Topic is a topic that comes down to a terminal, taken apart.
type Topic struct {
	Full, Terminal, Schema string
}

// ParseTopic reads {root}/v1/{terminal}/dn/…, or, with a terminal given, what
// stands behind dn/ alone.
func ParseTopic(topic, root, terminal string) (Topic, error) {
	if terminal != "" && !strings.Contains(topic, "/dn/") {
		topic = root + "/v1/" + terminal + "/dn/" + strings.TrimPrefix(topic, "dn/")
	}
	m := down.FindStringSubmatch(topic)
	if m == nil {
		return Topic{}, fmt.Errorf("%w: want {root}/v1/{terminal}/dn/ack, …/dn/config or …/dn/cmd/{name}", ErrTopic)
	}
	if _, err := topics.NewNames(m[1], m[2]); err != nil {
		return Topic{}, fmt.Errorf("%w: %w", ErrTopic, err)
	}
	if terminal != "" && terminal != m[2] {
		return Topic{}, fmt.Errorf("%w: it is of terminal %s, not %s", ErrTopic, m[2], terminal)
	}
	return Topic{Full: topic, Terminal: m[2], Schema: topics.SchemaOfTopic(m[1], topic)}, nil
}

// Envelope wraps a payload for a topic. A command that lacks id, ts or ttl_s gets
// them. The payload must satisfy its schema: ErrPayload names where it does not.
func Envelope(k Key, t Topic, payload []byte, now time.Time) ([]byte, error) {
	payload = bytes.TrimSpace(payload)
	id := rand.Text()
	if t.Schema == "cmd.v1" {
		var err error
		if payload, id, err = complete(payload, id, now); err != nil {
			return nil, err
		}
	}
	check, err := topics.NewValidator()
	if err != nil {
		return nil, err
	}
	if err := check.Check(t.Schema, payload); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	return topics.Sign(k.Private, k.ID, t.Full, t.Terminal, id, now, payload)
}

// complete returns a command what it lacks, and its id.
func complete(payload []byte, id string, now time.Time) ([]byte, string, error) {
	var cmd map[string]json.RawMessage
	if err := json.Unmarshal(payload, &cmd); err != nil || cmd == nil {
		return nil, "", fmt.Errorf("%w: not a JSON object", ErrPayload)
	}
	for name, value := range map[string]any{"id": id, "ts": topics.At(now), "ttl_s": 60} {
		if _, there := cmd[name]; there {
			continue
		}
		b, err := json.Marshal(value)
		if err != nil {
			return nil, "", err
		}
		cmd[name] = b
	}
	if json.Unmarshal(cmd["id"], &id) != nil || !topics.ValidID(id) {
		return nil, "", fmt.Errorf("%w: id is none", ErrPayload)
	}
	whole, err := json.Marshal(cmd)
	return whole, id, err
}
