package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"yuanlu/cmd/yuanlu-desk/cosign"
	"yuanlu/protocol/evidence"
)

// errCosignKey is the class of errors about a co-signing key.
var errCosignKey = errors.New("co-signing key")

// evidence does what belongs to evidence.md: packs and keys of a desk's store, and without one the replay of
// messages.
func (p *program) evidence(ctx context.Context, v *verb, args []string) error {
	f := p.flags(v)
	key := f.String("key", "", p.t("`file` with the co-signing key, of keygen --cosign", "联署密钥`文件`，由 keygen --cosign 生成"))
	x := p.exportFlags(f)
	rest, err := p.parse(v, f, args, 2)
	if err != nil {
		return err
	}
	if len(rest) > 0 && rest[0] != "replay" {
		return x.run(ctx, p, v, rest)
	}
	if len(rest) == 0 || *key == "" {
		return fmt.Errorf("%w: want export, keys, trust, restart, alarms, end, or replay --key FILE [MESSAGES]", errUsage)
	}
	signer, open, err := readCosigner(*key)
	if err != nil {
		return err
	}
	if open { // a replay sends nothing, so a key for trying things out will do
		fmt.Fprintf(p.stderr, p.t("yuanlu-desk evidence: %s can be read by others than its owner: chmod 600 it\n", "yuanlu-desk evidence：%s 可被他人读取，请执行 chmod 600\n"), *key)
	}
	in := p.stdin
	if len(rest) == 2 && rest[1] != "-" {
		opened, err := os.Open(rest[1])
		if err != nil {
			return err
		}
		defer func() { _ = opened.Close() }() // only read
		in = opened
	}
	return p.replay(signer, in)
}

func (p *program) replay(signer *evidence.Signer, in io.Reader) error {
	bad, err := cosign.Replay(cosign.New(signer), in, p.stdout)
	if err != nil {
		return err
	}
	if bad {
		return errLines
	}
	return nil
}

// readCosigner reads a key file of keygen --cosign; open: others than its owner may read it.
// The error never holds any of the key.
func readCosigner(file string) (s *evidence.Signer, open bool, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, false, err
	}
	line, err := secretLine(file)
	if err != nil {
		return nil, false, err
	}
	if s, err = evidence.ParseSigner(line); err != nil {
		return nil, false, fmt.Errorf("%w: %s: %w", errCosignKey, file, err)
	}
	return s, info.Mode().Perm()&0o077 != 0, nil
}

// keygenCosign makes a co-signing key and prints both vkeys of it (evidence.md § 2).
func (p *program) keygenCosign(name, file string) error {
	if strings.ContainsAny(name, "/") {
		return fmt.Errorf("%w: --cosign %q: a name without /", errUsage, name)
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return err
	}
	s, err := evidence.NewSigner("yuanlu-desk/"+name, seed)
	if err != nil {
		return fmt.Errorf("%w: --cosign %q: %w", errUsage, name, err)
	}
	if err := writeNew(file, []byte(s.PrivateLine()+"\n")); err != nil {
		return err
	}
	log, cosigner := s.Key(evidence.KeyLog).String(), s.Key(evidence.KeyCosign).String()
	if p.json {
		return p.printJSON(map[string]string{"vkey": log, "cosigner": cosigner, "file": file})
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n%s\n", log, cosigner)
	return err
}

// writeNew writes a file that is not there yet, for its owner alone, and syncs it.
func writeNew(file string, text []byte) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, bytes.NewReader(text)); err != nil {
		return err
	}
	return f.Sync()
}
