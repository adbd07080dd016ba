// Package oidc proves who somebody is by a provider of OpenID Connect: code flow with PKCE,
// state and nonce. It decides nothing about people. Source: casework.md § 13.
package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"yuanlu/cmd/yuanlu-desk/people"
)

// Bounds of what a provider may do.
const (
	answerTime = 10 * time.Second // for one answer
	mostAnswer = 1 << 20          // bytes of it
	pause      = 5 * time.Second  // before it is asked again what it announces
	mostSub    = 255              // characters of a subject, the most that OpenID Connect allows
)

// Classes of errors. No error holds a code, a token or a secret.
var (
	ErrSettings = errors.New("oidc: bad settings")
	ErrProvider = errors.New("oidc: the provider does not answer")
	ErrRefused  = errors.New("oidc: this answer is not taken")
	ErrFlow     = errors.New("oidc: no answer to a login that was begun in this browser")
)

// Options name the provider and this desk as its client.
type Options struct {
	Issuer string // https://…; http only on the loopback
	Client string
	Secret string            // "": a public client
	Via    http.RoundTripper // nil: http.DefaultTransport
	Now    func() time.Time
}

// Identity is somebody as a provider names him.
type Identity struct{ Issuer, Subject string }

// Flow is one login that was begun. It belongs to one browser and is used once.
type Flow struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// Provider is one provider. What it announces is read at the first login, not at the start:
// a desk runs without it. It is safe for concurrent use.
type Provider struct {
	o      Options
	client *http.Client

	mu    sync.Mutex
	found *goidc.Provider // guarded by mu; nil: not read yet
	away  time.Time       // guarded by mu: it could not be read then
}

// New checks the settings. ErrSettings.
func New(o Options) (*Provider, error) {
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%w: the issuer: want https://host/…", ErrSettings)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, fmt.Errorf("%w: the issuer: want https://; http:// on this machine only", ErrSettings)
	case o.Client == "":
		return nil, fmt.Errorf("%w: the client: the id under which the provider knows this desk is needed", ErrSettings)
	}
	if o.Via == nil {
		o.Via = http.DefaultTransport
	}
	return &Provider{o: o, client: &http.Client{Transport: bounded{o.Via}, Timeout: answerTime}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Issuer is the provider's name.
func (p *Provider) Issuer() string { return p.o.Issuer }

// bounded cuts off answers that are too long.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	rsp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		rsp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(rsp.Body, mostAnswer), rsp.Body}
	}
	return rsp, err
}

// provider reads what the provider announces, once.
func (p *Provider) provider(ctx context.Context) (*goidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if time.Since(p.away) < pause {
		return nil, fmt.Errorf("%w: %s: not a moment ago", ErrProvider, p.o.Issuer)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	found, err := goidc.NewProvider(ctx, p.o.Issuer)
	if err != nil {
		p.away = time.Now()
		return nil, fmt.Errorf("%w: %s: %w", ErrProvider, p.o.Issuer, err)
	}
	p.found = found
	return found, nil
}

func (p *Provider) config(found *goidc.Provider, back string) *oauth2.Config {
	return &oauth2.Config{ClientID: p.o.Client, ClientSecret: p.o.Secret, Endpoint: found.Endpoint(), RedirectURL: back, Scopes: []string{goidc.ScopeOpenID}}
}

// Begin begins a login: where the browser is sent, and what must be kept for Finish. back is
// the address to which the provider sends it again. ErrProvider.
func (p *Provider) Begin(ctx context.Context, back string) (where string, f Flow, err error) {
	ctx = goidc.ClientContext(ctx, p.client)
	found, err := p.provider(ctx)
	if err != nil {
		return "", Flow{}, err
	}
	f = Flow{State: people.Token(), Nonce: people.Token(), Verifier: oauth2.GenerateVerifier()}
	return p.config(found, back).AuthCodeURL(f.State, goidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), f, nil
}

// Finish returns who came back with the query q in the flow that was begun. ErrFlow: before
// the provider was asked; ErrRefused if what it answered is not as it must be; ErrProvider.
func (p *Provider) Finish(ctx context.Context, back string, f Flow, q url.Values) (Identity, error) {
	var none Identity
	switch code := q["code"]; {
	case f.State == "" || f.Nonce == "" || f.Verifier == "":
		return none, fmt.Errorf("%w: none was begun", ErrFlow)
	case len(q["state"]) != 1 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(f.State)) != 1:
		return none, fmt.Errorf("%w: state: another one", ErrFlow)
	case q.Has("iss") && q.Get("iss") != p.o.Issuer: // RFC 9207
		return none, fmt.Errorf("%w: iss: another provider", ErrRefused)
	case q.Has("error") || len(code) != 1 || code[0] == "":
		return none, fmt.Errorf("%w: the provider logged no one in", ErrRefused)
	}
	ctx, cancel := context.WithTimeout(goidc.ClientContext(ctx, p.client), answerTime)
	defer cancel()
	found, err := p.provider(ctx)
	if err != nil {
		return none, err
	}
	token, err := p.config(found, back).Exchange(ctx, q.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		// The library's text repeats the answer: it is left out.
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response.StatusCode < http.StatusInternalServerError {
			return none, fmt.Errorf("%w: code: the provider answered %d", ErrRefused, refused.Response.StatusCode)
		}
		return none, fmt.Errorf("%w: the code could not be exchanged", ErrProvider)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return none, fmt.Errorf("%w: id_token: there is none", ErrRefused)
	}
	return p.identify(ctx, found, raw, f.Nonce)
}

// identify checks an ID token: signature, issuer, audience, times, nonce.
func (p *Provider) identify(ctx context.Context, found *goidc.Provider, raw, nonce string) (none Identity, err error) {
	id, err := found.Verifier(&goidc.Config{ClientID: p.o.Client, Now: p.o.Now}).Verify(ctx, raw)
	if err != nil {
		return none, fmt.Errorf("%w: id_token: %s", ErrRefused, reason(err))
	}
	var more struct {
		Authorised string `json:"azp"`
	}
	switch err := id.Claims(&more); {
	case err != nil:
		return none, fmt.Errorf("%w: id_token: its claims cannot be read", ErrRefused)
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1:
		return none, fmt.Errorf("%w: nonce: not that of the login that was begun", ErrRefused)
	case len(id.Audience) > 1 && more.Authorised == "", more.Authorised != "" && more.Authorised != p.o.Client:
		return none, fmt.Errorf("%w: azp: it is for another client", ErrRefused)
	case id.Subject == "" || len(id.Subject) > mostSub || strings.ContainsFunc(id.Subject, func(c rune) bool { return c < ' ' || c == '\ufffd' }):
		return none, fmt.Errorf("%w: sub: want 1 to %d characters", ErrRefused, mostSub)
	}
	return Identity{id.Issuer, id.Subject}, nil
}

// reason names what was wrong with a token, without any of it.
func reason(err error) string {
	if _, ok := errors.AsType[*goidc.TokenExpiredError](err); ok {
		return "it is too old"
	}
	for _, known := range []struct{ part, text string }{
		{"different provider", "another issuer"}, {"expected audience", "for another client"}, {"signature", "not signed by the provider"},
		{"malformed", "malformed"},
	} {
		if strings.Contains(err.Error(), known.part) {
			return known.text
		}
	}
	return "not valid"
}
