package main

import (
	"context"
	"fmt"

	"yuanlu/cmd/yuanlu-desk/sign"
)

// keygen makes a signing key and prints what the terminals must know of it.
func (p *program) keygen(_ context.Context, v *verb, args []string) error {
	f := p.flags(v)
	out := f.String("out", "", p.t("`file` to make, readable by its owner alone", "输出`文件`"))
	id := f.String("id", "", p.t("`id` of the key, 1 to 64 of a-z, 0-9 and -; empty: made from the key", "密钥标识"))
	cosigner := f.String("cosign", "", p.t("make a co-signing key of this `name` of the desk, in place of a key for messages", "生成该后台`名称`的联署密钥，而非报文签名密钥"))
	if _, err := p.parse(v, f, args, 0); err != nil {
		return err
	}
	if *out == "" {
		return fmt.Errorf("%w: --out is needed", errUsage)
	}
	if *cosigner != "" {
		return p.keygenCosign(*cosigner, *out)
	}
	key, err := sign.Generate(*id)
	if err != nil {
		return err
	}
	if err := key.Write(*out); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]string{"id": key.ID, "public_key": key.PublicKey(), "file": *out})
	}
	fmt.Fprintln(p.stderr, p.t("put this into the configuration of every terminal; the file stays here", "将以下内容写入各终端配置；密钥文件留在本机"))
	_, err = fmt.Fprint(p.stdout, key.TOML())
	return err
}
