package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// DialError is in one line why there is no connection and what to do.
type DialError struct {
	Stage  string // options, files, network, tls or mqtt
	Code   string // stable: unknown_authority, wrong_host, cert_expired, refused, dns …
	What   string // what is wrong
	Remedy string // what to do
	Err    error  // the cause; may be nil

	Address string // of the broker, host:port; "" at stage options
}

// Error returns the one line: stage, what and remedy.
func (e *DialError) Error() string {
	text := e.Stage + ": " + e.What + "; " + e.Remedy
	if e.Stage == "mqtt" {
		return text
	}
	return "mqtt: " + text
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// clock is what the terminal thinks of its own time.
type clock struct {
	now    time.Time
	synced bool
}

// doubt returns that the clock is a likely cause, "" if it is not.
func (c clock) doubt() string {
	if c.synced {
		return ""
	}
	return fmt.Sprintf("the clock of this terminal is not set (it says %s), which is why TLS fails: ", c.now.UTC().Format("2006-01-02 15:04"))
}

// explain turns an error of any stage into a DialError.
func explain(err error, e endpoint, o *Options) *DialError {
	de := explainStage(err, e, o)
	de.Address = e.address
	return de
}

func explainStage(err error, e endpoint, o *Options) *DialError {
	if de, ok := errors.AsType[*DialError](err); ok {
		return de
	}
	c := clock{o.Now(), o.ClockSynced()}
	if de := explainCertificate(err, e, o, c); de != nil {
		de.Stage, de.Err = "tls", err
		return de
	}
	if de := explainNetwork(err, e, o); de != nil {
		de.Err = err
		return de
	}
	if de := explainRefusal(err, e); de != nil {
		de.Stage, de.Err = "mqtt", err
		return de
	}
	return &DialError{Stage: "network", Code: "other", What: strings.ToValidUTF8(oneLine(err), "?"), Remedy: "see the broker's log", Err: err}
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

func explainCertificate(err error, e endpoint, o *Options, c clock) *DialError {
	ca := "the system's authorities"
	if o.CAFile != "" {
		ca = "ca_file " + o.CAFile
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return &DialError{Code: "unknown_authority", What: fmt.Sprintf("the certificate of %s is not signed by %s", e.address, ca),
			Remedy: "put the certificate of the broker's authority into ca_file"}
	}
	if he, ok := errors.AsType[x509.HostnameError](err); ok {
		return &DialError{Code: "wrong_host", What: fmt.Sprintf("the certificate of %s is for other names than %q (%s)", e.address, he.Host, certNames(he.Certificate)),
			Remedy: "use one of those names in " + o.urlName() + ", or have the broker's certificate made for this one"}
	}
	if ie, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return explainInvalid(ie, e, c)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return &DialError{Code: "not_tls", What: e.address + " does not speak TLS", Remedy: "use the broker's TLS port (8883 as a rule)"}
	}
	if oe, ok := errors.AsType[*net.OpError](err); ok && oe.Op == "remote error" {
		return explainAlert(oe.Err.Error(), e, o, c)
	}
	if text := err.Error(); strings.Contains(text, "protocol version not supported") || strings.Contains(text, "unsupported versions") {
		return &DialError{Code: "tls_version", What: e.address + " speaks only TLS older than 1.2", Remedy: "update the broker"}
	}
	return nil
}

func certNames(cert *x509.Certificate) string {
	names := cert.DNSNames
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "it bears none"
	}
	if len(names) > 4 {
		names = append(names[:4:4], "…")
	}
	return strings.Join(names, ", ")
}

func explainInvalid(ie x509.CertificateInvalidError, e endpoint, c clock) *DialError {
	cert := ie.Cert
	switch {
	case ie.Reason != x509.Expired || cert == nil:
		return &DialError{Code: "cert_invalid", What: fmt.Sprintf("the certificate of %s may not be used for this (%s)", e.address, ie.Error()),
			Remedy: "have a server certificate made for the broker"}
	case c.now.Before(cert.NotBefore):
		return &DialError{Code: "cert_not_yet_valid",
			What:   fmt.Sprintf("%sthe certificate of %s is valid from %s only", c.doubt(), e.address, cert.NotBefore.UTC().Format("2006-01-02")),
			Remedy: fmt.Sprintf("set the clock (here it is %s), and see that time synchronisation works", c.now.UTC().Format("2006-01-02"))}
	default:
		return &DialError{Code: "cert_expired",
			What:   fmt.Sprintf("%sthe certificate of %s was valid until %s", c.doubt(), e.address, cert.NotAfter.UTC().Format("2006-01-02")),
			Remedy: fmt.Sprintf("renew it on the broker (or set the clock: here it is %s)", c.now.UTC().Format("2006-01-02"))}
	}
}

// explainAlert explains the broker's alert against us, mostly against the
// client certificate.
func explainAlert(alert string, e endpoint, o *Options, c clock) *DialError {
	if strings.Contains(alert, "protocol version") {
		return &DialError{Code: "tls_version", What: e.address + " speaks only TLS older than 1.2", Remedy: "update the broker"}
	}
	if !o.asked.certificate {
		return &DialError{Code: "tls_alert", What: fmt.Sprintf("%s%s ended TLS and said %q", c.doubt(), e.address, alert), Remedy: "see the broker's log"}
	}
	return explainClient(e, o, c, "said "+strconv.Quote(alert))
}

// explainClient explains an end of the handshake for which our side is to blame.
func explainClient(e endpoint, o *Options, c clock, how string) *DialError {
	if o.CertFile == "" {
		return &DialError{Code: "client_cert_required", What: fmt.Sprintf("%s wants a client certificate (it %s), and no client certificate is configured", e.address, how),
			Remedy: "set cert_file and key_file"}
	}
	fault, remedy := clientFault(o, c)
	if fault == "" {
		return &DialError{Code: "client_cert_refused", What: fmt.Sprintf("%s%s refused the client certificate %s (it %s)", c.doubt(), e.address, o.CertFile, how),
			Remedy: "have it signed by an authority the broker trusts"}
	}
	return &DialError{Code: "client_cert_refused", What: fmt.Sprintf("%s%s refused the client certificate %s (it %s): %s", c.doubt(), e.address, o.CertFile, how, fault),
		Remedy: remedy}
}

// clientFault returns what is known here to be wrong with our certificate, "" nothing.
func clientFault(o *Options, c clock) (fault, remedy string) {
	cert, err := firstCertificate(o.CertFile)
	switch {
	case err != nil:
		return "", ""
	case c.now.After(cert.NotAfter):
		return "it expired on " + cert.NotAfter.UTC().Format("2006-01-02"), "renew it"
	case c.now.Before(cert.NotBefore):
		return "it is valid from " + cert.NotBefore.UTC().Format("2006-01-02") + " only", "set the clock, or wait until then"
	case o.asked.unfit != "":
		return o.asked.unfit, "have it signed by that authority, or have the broker trust the one that signed it"
	}
	return "", ""
}

// explainPair explains what is wrong with the files of our certificate and its key.
func explainPair(o *Options, err error) *DialError {
	de := &DialError{Stage: "files", Code: "cert_file", What: fmt.Sprintf("%s and %s are not a certificate and its key", o.CertFile, o.KeyFile),
		Remedy: "both must be PEM and belong together", Err: fmt.Errorf("client certificate %s: %w", o.CertFile, err)}
	if strings.Contains(err.Error(), "does not match") {
		de.Code, de.What = "key_mismatch", fmt.Sprintf("the key %s is not that of the certificate %s", o.KeyFile, o.CertFile)
		de.Remedy = "put both files of one renewal there: the key that the certificate was asked for with"
	}
	return de
}

func explainNetwork(err error, e endpoint, o *Options) *DialError {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return &DialError{Stage: "files", Code: "file", What: fmt.Sprintf("cannot read %s (%v)", pe.Path, pe.Err), Remedy: "check the path and its permissions"}
	}
	if de, ok := errors.AsType[*net.DNSError](err); ok {
		what := fmt.Sprintf("no address known for %s", e.host)
		if !de.IsNotFound {
			what = fmt.Sprintf("no name server answers for %s", e.host)
		}
		return &DialError{Stage: "network", Code: "dns", What: what, Remedy: "check the name in " + o.urlName() + " and the terminal's network"}
	}
	net := func(code, what, remedy string) *DialError {
		return &DialError{Stage: "network", Code: code, What: e.address + " " + what, Remedy: remedy}
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return net("refused", "refuses the connection", "check that the broker runs and listens on this port")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return net("unreachable", "cannot be reached", "check the terminal's network")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return net("timeout", "did not answer in "+o.ConnectTimeout.String(), "check the network, the port and firewalls on the way")
	case errors.Is(err, context.Canceled):
		return net("cancelled", "was being connected when the agent stopped", "nothing")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrUnexpectedEOF):
		if e.tls {
			return explainClosed(e, o)
		}
		return net("closed", "closed the connection before answering", "see the broker's log (a TLS port does this too: then use tls://)")
	case errors.Is(err, ErrProtocol):
		return &DialError{Stage: "mqtt", Code: "protocol", What: e.address + " does not speak MQTT 3.1.1 as it must (" + oneLine(err) + ")", Remedy: "check the port"}
	}
	return nil
}

// explainClosed explains a broker that closes without an alert. With TLS 1.3 it refuses
// the client certificate after our handshake is done, and its reset may overtake the
// alert with the reason: what is known here decides.
func explainClosed(e endpoint, o *Options) *DialError {
	c := clock{o.Now(), o.ClockSynced()}
	if o.asked.certificate {
		fault := ""
		if o.CertFile != "" {
			fault, _ = clientFault(o, c)
		}
		if o.CertFile == "" || fault != "" {
			de := explainClient(e, o, c, "closed the connection")
			de.Stage = "tls"
			return de
		}
		return &DialError{Stage: "tls", Code: "closed", What: fmt.Sprintf("%s asked for a client certificate and closed the connection when it had %s", e.address, o.CertFile),
			Remedy: "have it signed by an authority the broker trusts, or see the broker's log: it may refuse the user or the client id"}
	}
	return &DialError{Stage: "network", Code: "closed", What: e.address + " closed the connection during the handshake",
		Remedy: "see the broker's log: it may refuse the client certificate, user or client id, or not speak TLS on this port"}
}

func explainRefusal(err error, e endpoint) *DialError {
	for _, r := range []struct {
		err                error
		code, what, remedy string
	}{
		{packets.ErrorRefusedBadProtocolVersion, "mqtt_version", "does not accept MQTT 3.1.1", "update the broker"},
		{packets.ErrorRefusedIDRejected, "client_id", "rejects the client id", "check terminal.id and the broker's rules for client ids"},
		{packets.ErrorRefusedServerUnavailable, "unavailable", "says it is unavailable", "see the broker's log"},
		{packets.ErrorRefusedBadUsernameOrPassword, "credentials", "rejects user name or password", "check them in the configuration and at the broker"},
		{packets.ErrorRefusedNotAuthorised, "not_authorised", "does not let this terminal in", "check user, password or client certificate at the broker"},
	} {
		if errors.Is(err, r.err) {
			return &DialError{Code: r.code, What: e.address + " " + r.what, Remedy: r.remedy}
		}
	}
	return nil
}
