package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"yuanlu/cmd/yuanlu-desk/sign"
	"yuanlu/protocol/topics"
)

// sign wraps a payload for one topic of one terminal.
func (p *program) sign(_ context.Context, v *verb, args []string) error {
	f := p.flags(v)
	keyFile := f.String("key", "", p.t("the key `file` that keygen made", "密钥`文件`"))
	keyID := f.String("key-id", "", p.t("`id` of the key; empty: the file's own", "密钥标识"))
	topic := f.String("topic", "", p.t("{root}/v1/{terminal}/dn/…; with --terminal also what stands behind dn/", "主题"))
	terminal := f.String("terminal", "", p.t("the terminal's `id`", "终端标识"))
	root := f.String("root", "yuanlu", p.t("first levels of the topic", "主题根"))
	rest, err := p.parse(v, f, args, 1)
	if err != nil {
		return err
	}
	if *keyFile == "" || *topic == "" {
		return fmt.Errorf("%w: --key and --topic are needed", errUsage)
	}
	t, err := sign.ParseTopic(*topic, *root, *terminal)
	if err != nil {
		return err
	}
	key, err := sign.Read(*keyFile, *keyID)
	if err != nil {
		return err
	}
	in := p.stdin
	if len(rest) == 1 && rest[0] != "-" {
		file, err := os.Open(rest[0])
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	payload, err := io.ReadAll(io.LimitReader(in, topics.MaxMessage+1))
	if err != nil {
		return err
	}
	if len(payload) > topics.MaxMessage {
		return fmt.Errorf("%w: over %d bytes", sign.ErrPayload, topics.MaxMessage)
	}
	envelope, err := sign.Envelope(key, t, payload, p.now())
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(append(envelope, '\n'))
	return err
}
