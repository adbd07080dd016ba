package topics

import (
	"errors"
	"fmt"
	"strings"
)

// ErrName is the class of all errors about a topic name or a part of one.
var ErrName = errors.New("topics: bad name")

// MaxPart is the longest part of a topic that stands for a terminal, a link, a
// command or a host, in bytes.
const MaxPart = 64

// maxRoot bounds the configured root so that no topic of ours gets near the
// 65 535 bytes of MQTT.
const maxRoot = 256

// Names makes the topics of one terminal: {root}/v1/{terminal}/up|dn/….
// The zero value is of no use; make one with NewNames. Names are immutable and
// safe for concurrent use.
type Names struct {
	Root     string // one or more levels, no wildcards, default "yuanlu"
	Terminal string // [a-z0-9-]{1,64}; also client id, user name and certificate CN
}

// NewNames checks root and terminal and makes the names from them. root may
// have levels ("shops/cn/yuanlu"). The error wraps ErrName and names what is wrong.
func NewNames(root, terminal string) (Names, error) {
	if err := checkRoot(root); err != nil {
		return Names{}, err
	}
	if err := CheckPart(terminal); err != nil {
		return Names{}, fmt.Errorf("terminal: %w", err)
	}
	return Names{Root: root, Terminal: terminal}, nil
}

// CheckPart reports whether s may stand as one level of a topic: [a-z0-9-]{1,64}.
// The error wraps ErrName; it names the place, not the value.
func CheckPart(s string) error {
	if len(s) == 0 || len(s) > MaxPart {
		return fmt.Errorf("%w: %d bytes, want 1 to %d", ErrName, len(s), MaxPart)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("%w: byte %d is %q, want a-z, 0-9 or -", ErrName, i+1, c)
		}
	}
	return nil
}

func checkRoot(root string) error {
	if root == "" || len(root) > maxRoot {
		return fmt.Errorf("root: %w: %d bytes, want 1 to %d", ErrName, len(root), maxRoot)
	}
	if root[0] == '$' {
		return fmt.Errorf("root: %w: begins with $, which belongs to the broker", ErrName)
	}
	for level := range strings.SplitSeq(root, "/") {
		if level == "" {
			return fmt.Errorf("root: %w: an empty level", ErrName)
		}
		for _, c := range level {
			if c == '+' || c == '#' || c < 0x20 || c == 0x7f || c == 0xfffd {
				return fmt.Errorf("root: %w: holds %q", ErrName, c)
			}
		}
	}
	return nil
}

func (n Names) base() string            { return n.Root + "/v1/" + n.Terminal }
func (n Names) up(suffix string) string { return n.base() + "/up/" + suffix }
func (n Names) dn(suffix string) string { return n.base() + "/dn/" + suffix }

// Source is the CloudEvents source of this terminal.
func (n Names) Source() string { return "urn:yuanlu:terminal:" + n.Terminal }

// State is the topic of presence, also of the will.
func (n Names) State() string { return n.up("state") }

// Info is the topic of the birth document.
func (n Names) Info() string { return n.up("info") }

// Health is the topic of health.
func (n Names) Health() string { return n.up("health") }

// LinkState is the topic of one link's presence; name as CheckPart wants it.
func (n Names) LinkState(name string) string { return n.up("link/" + name + "/state") }

// Case is the topic of case events.
func (n Names) Case() string { return n.up("case") }

// Day is where the digests of days go (bills.md § 5).
func (n Names) Day() string { return n.up("day") }

// CaseSummary is the topic of the numbers of the outbox and the open cases.
func (n Names) CaseSummary() string { return n.up("case-summary") }

// Event is the topic of other events.
func (n Names) Event() string { return n.up("event") }

// Log is the topic of log lines of one level.
func (n Names) Log(level string) string { return n.up("log/" + level) }

// Rsp is the topic of the answers to one command.
func (n Names) Rsp(cmd string) string { return n.up("rsp/" + cmd) }

// Checkpoint is the topic of the newest checkpoint of the terminal's evidence log.
func (n Names) Checkpoint() string { return n.up("checkpoint") }

// Config is the topic of the configuration in force.
func (n Names) Config() string { return n.up("config") }

// Cmd is the topic of one command.
func (n Names) Cmd(cmd string) string { return n.dn("cmd/" + cmd) }

// CmdFilter matches every command.
func (n Names) CmdFilter() string { return n.dn("cmd/#") }

// Ack is the topic of the back office's acknowledgements.
func (n Names) Ack() string { return n.dn("ack") }

// Cosign is the topic of the newest checkpoint that the back office co-signed.
func (n Names) Cosign() string { return n.dn("cosign") }

// DesiredConfig is the topic of the desired configuration.
func (n Names) DesiredConfig() string { return n.dn("config") }

// DownFilter matches all that comes down to this terminal.
func (n Names) DownFilter() string { return n.dn("#") }

// HostState is the topic of a back office's own presence.
func (n Names) HostState(host string) string { return n.Root + "/v1/_host/" + host + "/state" }

// Down is what a topic that comes down means.
type Down uint8

// Kinds of topic that come down to a terminal. DownUnknown is everything else.
const (
	DownUnknown Down = iota
	DownCmd
	DownAck
	DownConfig
	DownCosign
	DownHost
	DownSummary // the terminal's own case summary, as it is retained
)

// ParseDown returns what a received topic means and, for DownCmd and DownHost, for
// which command or host. A topic of another terminal, or one whose variable
// part is not as CheckPart wants it, is DownUnknown.
func (n Names) ParseDown(topic string) (Down, string) {
	if rest, ok := strings.CutPrefix(topic, n.base()+"/dn/"); ok {
		switch rest {
		case "ack":
			return DownAck, ""
		case "config":
			return DownConfig, ""
		case "cosign":
			return DownCosign, ""
		}
		if cmd, ok := strings.CutPrefix(rest, "cmd/"); ok && CheckPart(cmd) == nil {
			return DownCmd, cmd
		}
		return DownUnknown, ""
	}
	if topic == n.CaseSummary() {
		return DownSummary, ""
	}
	rest, ok := strings.CutPrefix(topic, n.Root+"/v1/_host/")
	if !ok {
		return DownUnknown, ""
	}
	host, ok := strings.CutSuffix(rest, "/state")
	if !ok || CheckPart(host) != nil {
		return DownUnknown, ""
	}
	return DownHost, host
}
