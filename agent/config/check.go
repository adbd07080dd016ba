package config

import (
	"encoding/base64"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/tomlfile"
	"yuanlu/protocol/evidence"
)

func merchant(text string) string {
	ok := len(text) <= 32
	for _, c := range text {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9')
	}
	if ok {
		return ""
	}
	return "wants up to 32 letters and digits"
}

func port(text string) string {
	usb, isUSB := strings.CutPrefix(text, "usb:")
	if !isUSB {
		if text == "" || !strings.HasPrefix(text, "/") && strings.ContainsAny(text, "/ ") {
			return "wants a path that begins with /, a name in /dev/serial/by-id, or usb:VID:PID[:SERIAL]"
		}
		return ""
	}
	parts := strings.SplitN(usb, ":", 3)
	if len(parts) < 2 {
		return "wants usb:VID:PID, both as four hexadecimal digits"
	}
	for _, id := range parts[:2] {
		if _, err := strconv.ParseUint(id, 16, 16); err != nil || len(id) != 4 {
			return "wants usb:VID:PID, both as four hexadecimal digits"
		}
	}
	if len(parts) == 3 && parts[2] == "" {
		return "has an empty serial number after the last colon"
	}
	return ""
}

// brokerURL never repeats the value: it may hold a password.
func brokerURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "is not a URL such as tls://broker.example:8883"
	case u.User != nil:
		return "holds a user name: use mqtt.username and mqtt.password_file"
	case u.Scheme != "tls" && u.Scheme != "tcp":
		return "wants tls:// or tcp:// before the host"
	case u.Hostname() == "":
		return "has no host"
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return "ends after the port"
	}
	if p, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || p == 0 {
		return "wants a port, such as :8883"
	}
	return ""
}

func topicRoot(text string) string {
	for level := range strings.SplitSeq(text, "/") {
		if level == "" || strings.ContainsAny(level, "+#$ \t") {
			return "wants levels parted by /, none empty, without + # $ and blanks"
		}
	}
	if len(text) > 128 {
		return "is longer than 128 characters"
	}
	return ""
}

func publicKey(text string) string {
	if b, err := base64.StdEncoding.DecodeString(text); err != nil || len(b) != 32 {
		return "wants the base64 of 32 bytes"
	}
	return ""
}

func cosigner(text string) string {
	if _, err := evidence.ParseKey(text, evidence.KeyCosign); err != nil {
		return "wants the key that yuanlu-desk keygen --cosign has printed: yuanlu-desk/NAME+HASH+BASE64"
	}
	return ""
}

func zone(text string) string {
	if at, err := time.Parse("-07:00", text); err == nil {
		if _, offset := at.Zone(); offset >= -12*3600 && offset <= 14*3600 {
			return ""
		}
	}
	return `wants an offset such as "+08:00"`
}

func timeOfDay(text string) string {
	if at, err := time.Parse("15:04", text); err != nil || at.Format("15:04") != text {
		return `wants a time of day such as "02:00"`
	}
	return ""
}

func logFile(text string) string {
	if text == "" || text == "none" {
		return ""
	}
	if wrong := absolute(text); wrong != "" {
		return wrong + `, or "none"`
	}
	return ""
}

// loopbackAddress takes a loopback address, not the name of one: what localhost means
// is up to a file of the machine.
func loopbackAddress(text string) string {
	host, _, err := net.SplitHostPort(text)
	if err == nil && !Loopback(host) {
		return "would be open to other machines: write 127.0.0.1 or [::1] before the port, and let an agent or a tunnel on this machine carry on what others need"
	}
	if at, err := netip.ParseAddrPort(text); err != nil || at.Port() == 0 {
		return "wants a loopback address and a port from 1 to 65535, such as 127.0.0.1:9100"
	}
	return ""
}

// complete fills the settings whose default is another one's value.
func (c *Config) complete() {
	if c.MQTT.ClientID == "" {
		c.MQTT.ClientID = c.Terminal.ID
	}
	if c.MQTT.Username == "" && c.MQTT.PasswordFile != "" {
		c.MQTT.Username = c.Terminal.ID
	}
	if c.Log.File == "" {
		c.Log.File = filepath.Join(c.Store.Dir, "log", "yuanlu.log")
	}
	if c.Control.Socket == "" {
		c.Control.Socket = filepath.Join(c.Store.Dir, "control.sock")
	}
	if c.Guard.Socket == "" {
		c.Guard.Socket = filepath.Join(filepath.Dir(c.Control.Socket), "guard.sock")
	}
}

// checkTogether looks at what concerns several settings.
func (l *loader) checkTogether() {
	l.checkLinks()
	l.checkBroker()
	l.checkKeys()
	l.checkGuard()
	l.checkDesired()
	l.checkAmounts()
}

func (l *loader) checkLinks() {
	if _, single := l.tables["link"]; len(l.c.Links) == 0 && !single {
		l.problem(tomlfile.Place{}, "link", "there is no [[link]]: the agent would hear nothing")
	}
	names, ports := map[string]int{}, map[string]int{}
	for i, link := range l.c.Links {
		if first, twice := names[link.Name]; twice && link.Name != "" {
			l.problem(l.where("link", i, "name"), element("link", i, "name"), "name %q is already that of link %d", link.Name, first+1)
		} else {
			names[link.Name] = i
		}
		port := filepath.Clean(link.Port)
		if first, twice := ports[port]; twice && link.Port != "" && link.Enabled && l.c.Links[first].Enabled {
			l.problem(l.where("link", i, "port"), element("link", i, "port"), "port is already that of link %d", first+1)
		} else {
			ports[port] = i
		}
		if !strings.HasPrefix(link.Port, "usb:") {
			continue
		}
		for _, key := range []string{"baud", "data_bits", "parity", "stop_bits"} {
			if at, given := l.given[element("link", i, key)]; given {
				l.problem(at, element("link", i, key), "%s says something only about a serial port, and this one is USB", key)
			}
		}
		if link.Wire != "" && link.Wire != "smart" {
			l.problem(l.where("link", i, "wire"), element("link", i, "wire"), "a USB port speaks smart, not %s", link.Wire)
		}
	}
}

func (l *loader) checkBroker() {
	m := &l.c.MQTT
	if len(m.URLs) == 0 {
		return
	}
	at := l.where("mqtt", 0, "url")
	encrypted := false
	for _, text := range m.URLs {
		u, err := url.Parse(text)
		if err != nil {
			continue // complained of already
		}
		encrypted = encrypted || u.Scheme == "tls"
		if u.Scheme == "tcp" && !m.AllowPlaintext && !Loopback(u.Hostname()) {
			l.problem(at, "mqtt.url", "tcp:// is not encrypted, and for this machine only: use tls://, or set mqtt.allow_plaintext = true")
			break
		}
	}
	if !encrypted {
		for _, key := range []string{"ca_file", "cert_file", "key_file", "server_name"} {
			if at, given := l.given["mqtt."+key]; given {
				l.problem(at, "mqtt."+key, "%s says something only about tls://, and mqtt.url is tcp://", key)
			}
		}
	}
	if (m.CertFile == "") != (m.KeyFile == "") {
		have, lack := "cert_file", "key_file"
		if m.CertFile == "" {
			have, lack = lack, have
		}
		l.problem(l.where("mqtt", 0, have), "mqtt."+have, "%s needs mqtt.%s beside it", have, lack)
	}
}

// Loopback reports whether a host of an address, without brackets, is this machine's
// loopback: localhost, 127.0.0.0/8 or ::1.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (l *loader) checkKeys() {
	seen := map[string]bool{}
	for i, k := range l.c.Backoffice.Keys {
		if seen[k.ID] && k.ID != "" {
			l.problem(l.where("backoffice.key", i, "id"), element("backoffice.key", i, "id"), "%q is already the id of another key", k.ID)
		}
		seen[k.ID] = true
	}
}
