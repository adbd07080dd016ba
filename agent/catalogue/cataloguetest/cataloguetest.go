// Package cataloguetest finds what stands in the wrong language in a text for people.
package cataloguetest

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// spans are what stays in both languages wherever it stands: a command line, a path, a
// name of the configuration, an address, a value in quotes, an escape.
var spans = regexp.MustCompile(`"[^"]*"|'[^']*'|` + "`[^`]*`" +
	`|\b(yuanlu|firmware-sim)( [a-z-]+)*( --?[a-z]+| [A-Z]+)*|\b(sudo |ps |systemctl |timedatectl|chown |chmod |journalctl |usermod |udevadm |mount |kill |ss |df |du |lsof |fuser |apt |iconv |sed |dmesg|nohup |stty )[^，。；：（）！？、)]*` +
	`|\[{1,2}[a-z_.]+\]{1,2}|\{[a-z_0-9]+\}|--?[a-z][a-z-]*|[A-Za-z0-9_.+-]*[/\\@][A-Za-z0-9_./*:\\@+-]*|\b[a-z0-9-]+\.[a-z0-9._-]+|[a-z0-9]+[_-][a-z0-9_-]+|[A-Za-z]*[0-9A-Z][A-Za-z0-9]*|\b[a-z_.]+ [=+] [a-z0-9]+|%[-+#0-9.]*[a-z]`)

var word = regexp.MustCompile(`[a-z]{2,}`)

// usage is how an argument is written, with names for its parts.
var usage = regexp.MustCompile(`\p{Han}+=\p{Han}+[\p{Han}\[\],]*|%s=%s[\p{Han},]*|//\p{Han}+:|\[:\p{Han}+\]`)

// halfwidth is punctuation of English beside a Chinese character.
var halfwidth = regexp.MustCompile(`\p{Han}[,;:!?()]|[,;:!?)]\p{Han}|\(\p{Han}`)

// Foreign returns what of a text is not of its language, "" if nothing is: Chinese
// characters in English; in Chinese an English word that is no name, an English sentence,
// or halfwidth punctuation beside Chinese. data lists words that may stand in the text since
// they are data.
func Foreign(text string, chinese bool, data ...string) string {
	if !chinese {
		if at := strings.IndexFunc(text, func(c rune) bool {
			return unicode.Is(unicode.Han, c) || c >= 0x3000 && c <= 0x303f || c >= 0xff01 && c <= 0xff5e
		}); at >= 0 {
			return fmt.Sprintf("Chinese %q in English", text[at:])
		}
		return ""
	}
	if wrong := halfwidth.FindString(usage.ReplaceAllString(text, " ")); wrong != "" {
		return fmt.Sprintf("halfwidth punctuation %q", wrong)
	}
	for _, one := range data {
		text = regexp.MustCompile(`\b`+regexp.QuoteMeta(one)+`\b`).ReplaceAllString(text, " ")
	}
	for _, w := range word.FindAllString(spans.ReplaceAllString(text, " "), -1) {
		if !technical(w) {
			return fmt.Sprintf("English %q in Chinese", w)
		}
	}
	return ""
}

// technical reports whether a word is the same in Chinese texts.
func technical(w string) bool {
	const all = " yuanlu mispos smart cup systemd udev root chown chmod wal db usb tls tcp mqtt json toml pid baud openid token id url true false debug info warn error " +
		"ms min en zh utf keys captures bundles quarantine core enabled profile mqtt ttyUSB requeue tail verb args run tar gz raw stdin stdout bash zsh fish sh dbus ptys tty pty sha chrony ntp " +
		"group user even odd none echo always kernel off advise hold office other consent broker key value defs man shell http log doctor outbox export import guard keygen getty sudo ps df listen status health us dn up ack cmd config state name port wire time level list show stat probe start stop check schema revert replay"
	return strings.Contains(all+" ", " "+w+" ")
}
