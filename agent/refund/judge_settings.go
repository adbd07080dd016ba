package refund

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
)

// defaultWindow is the refund window of a channel that Settings does not name.
const defaultWindow = 365

// Settings are what an operator may change about verdicts.
type Settings struct {
	// Windows holds, by channel, how many local calendar days after a sale a
	// refund is in time (verdicts.md § 3, Window). A channel that is missing has 365.
	Windows map[Channel]int
}

// DefaultSettings returns the contract's windows (verdicts.md § 3).
func DefaultSettings() Settings {
	return Settings{Windows: map[Channel]int{
		ChannelWeChat: 365, ChannelAlipay: 365, ChannelUnionPayQR: 360, ChannelJD: 365, ChannelECNY: 365,
		ChannelCard: 180, ChannelCash: 365, ChannelUnknown: 365,
	}}
}

func (s *Settings) window(c Channel) int {
	if !channelKnown(c) {
		c = ChannelUnknown
	}
	if days, ok := s.Windows[c]; ok {
		return days
	}
	return defaultWindow
}

// digest names the settings: equal settings have equal digests.
func (s *Settings) digest() string {
	var b []byte
	for _, c := range slices.Sorted(maps.Keys(s.Windows)) {
		b = append(b, c...)
		b = append(b, '=')
		b = strconv.AppendInt(b, int64(s.Windows[c]), 10)
		b = append(b, '\n')
	}
	return shortDigest(b)
}

func shortDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}
