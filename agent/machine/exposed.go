package machine

import (
	"io/fs"
	"os"
	"path/filepath"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
)

// exposure is a place to look at.
type exposure struct {
	path string
	what config.Text
	wrong,
	keep fs.FileMode // permissions that no other user may have; what it should have
}

// What no other user may do: with a secret nothing, with what is only trusted no change.
const (
	readBy  fs.FileMode = 0o004
	writeBy fs.FileMode = 0o002
)

// Exposed names what of this configuration is open to every user of the machine: secrets
// that can be read, and what can be changed or replaced that the agent trusts. What is
// not there, or cannot be looked at, is not named. It opens no file.
func Exposed(c *config.Config) []health.Exposed {
	var all []health.Exposed
	for _, one := range exposures(c) {
		info, err := os.Stat(one.path)
		if err != nil {
			continue
		}
		open := info.Mode().Perm() & one.wrong
		if open == 0 || info.IsDir() && one.wrong&readBy == 0 && info.Mode()&fs.ModeSticky != 0 {
			continue // in a sticky folder no user replaces the file of another
		}
		may := config.Text{EN: "read", ZH: "读取"}
		switch {
		case open&writeBy != 0 && open&readBy != 0:
			may = config.Text{EN: "read and changed", ZH: "读取和修改"}
		case open&writeBy != 0:
			may = config.Text{EN: "changed", ZH: "修改"}
		}
		all = append(all, health.Exposed{Path: one.path, Mode: info.Mode(), What: one.what, May: may, Keep: one.keep})
	}
	return all
}

// exposures lists where to look, in the order of the configuration.
func exposures(c *config.Config) []exposure {
	var all []exposure
	seen := map[string]bool{"": true, ".": true}
	add := func(path, en, zh string, wrong, keep fs.FileMode) {
		if !seen[path] {
			seen[path] = true
			all = append(all, exposure{path, config.Text{EN: en, ZH: zh}, wrong, keep})
		}
	}
	secret := func(path, en, zh string) {
		add(path, en, zh, readBy|writeBy, 0o600)
		if path != "" {
			add(filepath.Dir(path), "the folder of "+en, zh+"所在目录", writeBy, 0o755)
		}
	}
	trusted := func(path, en, zh string) { add(path, en, zh, writeBy, 0o644) }
	add(c.Store.Dir, "the store's folder", "数据目录", readBy|writeBy, 0o700)
	if c.File != "" {
		trusted(c.File, "the configuration", "配置文件")
		add(filepath.Dir(c.File), "the folder of the configuration", "配置文件所在目录", writeBy, 0o755)
	}
	secret(c.MQTT.PasswordFile, "the password file", "密码文件")
	secret(c.MQTT.KeyFile, "the private key", "私钥")
	trusted(c.MQTT.CertFile, "the certificate", "证书")
	trusted(c.MQTT.CAFile, "the authorities' certificates", "CA 证书")
	for _, l := range c.Links {
		trusted(l.Profile, "the profile of link "+l.Name, "链路 "+l.Name+" 的差异文件")
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		add(filepath.Join(c.Store.Dir, "yuanlu.db")+end, "the database", "数据库", readBy|writeBy, 0o600)
	}
	for _, dir := range []string{"keys", "quarantine", "captures", "bundles", "desired"} {
		add(filepath.Join(c.Store.Dir, dir), "the folder", "目录", readBy|writeBy, 0o700)
	}
	if keys, err := filepath.Glob(filepath.Join(c.Store.Dir, "keys", "*")); err == nil {
		for _, path := range keys {
			secret(path, "the key", "密钥")
		}
	}
	return all
}
