package consumer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"yuanlu/protocol/mqtt"
)

// remedy returns what a person can do about a connection that is not there. The desk
// tries again by itself, whatever it is.
func remedy(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	switch text := err.Error(); {
	case errors.Is(err, errOtherStore):
		return "let all desks of one --share use one PostgreSQL database, or give this one another --host and no --share"
	case errors.As(err, &authority):
		return "the broker's certificate is not signed by an authority that we know: give its authority with --ca-file"
	case errors.As(err, &name):
		return "the broker's certificate is for another name: use that name in --broker, or --server-name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the broker's certificate is not valid at this time: check this machine's clock, then renew the certificate"
	case errors.As(err, &record):
		return "this port does not speak TLS: use the broker's TLS port, or tcp:// on this machine"
	case errors.As(err, &dns):
		return "the broker's name is not known here: check --broker and the name service"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return "check the files of --ca-file, --cert-file, --key-file and --password-file"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return "the broker ended the connection at once: check that this is its port for TLS (tls://) or without (tcp://), and its log"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: start the broker, or check the port of --broker"
	case errors.Is(err, mqtt.ErrRefused):
		return "the broker's access list does not let this user read {root}/v1/+/up/# and _host/#: the README shows one that does"
	case strings.Contains(text, "remote error: tls"), strings.Contains(text, "certificate required"):
		return "the broker did not take our certificate: check --cert-file and --key-file"
	case strings.Contains(text, "not Authorized"), strings.Contains(text, "user name or password"):
		return "the broker refuses this user: check --username and --password-file, or --cert-file"
	}
	return "check the network and the broker; the desk tries again by itself"
}
