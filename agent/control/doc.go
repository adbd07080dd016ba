// Package control owns the local socket behind the technician's verbs.
//
// A client connects, writes one request and reads answers, all of them one JSON
// object per line:
//
//	→ {"verb":"tail","args":{"follow":true}}
//	← {"data":{…}}            any number of these
//	← {"end":true}            or {"error":{"code":"not_found","message":"…"}}
//
// The socket is for the owner of the store and root only (mode 0600, and the
// peer's credentials are looked at). A client is not trusted to behave: requests
// are bounded in size, answers in the time they may take to be read, clients in
// number; a client that hangs up ends what was being done for it.
package control
