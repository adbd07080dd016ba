package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"yuanlu/cmd/yuanlu-desk/consumer"
	packs "yuanlu/cmd/yuanlu-desk/evidence"
	"yuanlu/cmd/yuanlu-desk/leaves"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/cmd/yuanlu-desk/tsa"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/seal"
)

// sealing is the settings of evidence.md: the co-signing key, who signs packs and who stamps.
type sealing struct {
	cosignKey, tsa, cert, key string

	cosigner *evidence.Signer // nil: none
	signer   *packs.Signer    // nil: packs are unsigned
}

func (s *sealing) flags(text func(to *string, name, def, en, zh string)) {
	text(&s.cosignKey, "cosign-key", "", "key `file` of keygen --cosign: checkpoints of terminals are co-signed, and evidence packs can be made", "联署密钥文件")
	text(&s.tsa, "tsa", "", "https://… of a time stamping authority (RFC 3161): the desk's log is stamped once a day, and each pack", "时间戳服务（RFC 3161）")
	text(&s.cert, "seal-cert", "", "certificate `file` (PEM, with its issuers) by which evidence packs are signed", "证据包签名证书")
	text(&s.key, "seal-key", "", "its private key `file` (PEM)", "证据包签名私钥")
}

// read reads the keys.
func (s *sealing) read() error {
	if (s.cert == "") != (s.key == "") {
		return fmt.Errorf("%w: --seal-cert and --seal-key belong together", errUsage)
	}
	if u, err := url.Parse(s.tsa); s.tsa != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("%w: --tsa wants the address of a time stamping authority, https://…", errUsage)
	}
	if s.cosignKey == "" {
		if s.tsa != "" || s.cert != "" {
			return fmt.Errorf("%w: --tsa and --seal-cert need --cosign-key", errUsage)
		}
		return nil
	}
	signer, open, err := readCosigner(s.cosignKey)
	if err != nil {
		return err
	}
	if open {
		return fmt.Errorf("%w: %s can be read by others than its owner: chmod 600 it", errCosignKey, s.cosignKey)
	}
	s.cosigner = signer
	if s.cert == "" {
		return nil
	}
	chain, err := os.ReadFile(s.cert)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(s.key)
	if err != nil {
		return err
	}
	private, certs, err := seal.ReadSigner(key, chain)
	if err != nil {
		return fmt.Errorf("%w: --seal-cert, --seal-key: %w", errConfig, err)
	}
	s.signer = &packs.Signer{Key: private, Chain: certs}
	return nil
}

// stamper asks the time stamping authority; nil: there is none. An answer that does not come within 30 s is an error.
func (s *sealing) stamper(ctx context.Context) packs.Stamper {
	if s.tsa == "" {
		return nil
	}
	return func(content []byte) ([]byte, error) { return tsa.Stamp(ctx, http.DefaultClient, s.tsa, content) }
}

// cosign has the desk co-sign checkpoints, if it has the key.
func (d *desk) cosign(ctx context.Context, s *serving, o *consumer.Options) error {
	if s.sealing.cosigner == nil || s.observe {
		return nil
	}
	begun, err := d.store.SetCosigner(ctx, d.now(), s.sealing.cosigner)
	if err != nil {
		return err
	}
	if begun {
		d.log.Warn("evidence.log_begun", "key", s.sealing.cosigner.String(), "remedy", "the desk began a log of its own, which has all events and notes so far: expected at first use, with a new key, or after a restore")
	}
	d.packing = &s.sealing
	if o.Leaves = leaves.New(d.store, d.now, d.log); s.sealing.tsa != "" {
		d.stamping = &s.sealing
	}
	return nil
}

// packWait is how long a pack that a person asks for waits for the terminals.
const packWait = 10 * time.Second

// exports makes packs for people; nil: this desk makes none.
func (d *desk) exports() func(context.Context, store.Exporting) (store.Exported, error) {
	if d.packing == nil {
		return nil
	}
	return func(ctx context.Context, x store.Exporting) (store.Exported, error) {
		e, err := d.packing.makePack(ctx, d.store, d.now, packWait, &x)
		if e.NoStamp != nil {
			d.log.Warn("evidence.stamp", "pack", e.Pack, "err", e.NoStamp, "remedy", "export again when --tsa answers: this pack is not stamped")
		}
		return e, err
	}
}
