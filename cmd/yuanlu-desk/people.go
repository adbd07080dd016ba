package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/people"
	"yuanlu/cmd/yuanlu-desk/store"
)

// people lists those who work at the case desk, and makes or changes one on the machine of
// the desk (casework.md § 13).
func (p *program) people(ctx context.Context, v *verb, args []string) error {
	do, args, err := act(args, "list", "add", "password", "bind")
	if err != nil {
		return err
	}
	f := p.flags(v)
	at := p.storeFlags(f, false)
	var add hired
	if do == "add" {
		add.flags(p, f.StringVar, f.Func)
		f.BoolVar(&add.inactive, "inactive", false, p.t("may not log in any more", "停用"))
	}
	var bound store.Identity
	if do == "bind" {
		f.StringVar(&bound.Issuer, "issuer", "", p.t("--oidc-issuer of serve", "serve 的 --oidc-issuer"))
		f.StringVar(&bound.Subject, "sub", "", p.t("the person's `sub` at that provider; empty: he may not log in by it any more", "此人在统一登录中的 sub；留空则解除绑定"))
	}
	most := 1
	if do == "list" {
		most = 0
	}
	rest, err := p.parse(v, f, args, most)
	if err != nil {
		return err
	}
	if len(rest) != most {
		return fmt.Errorf("%w: the person's id is needed", errUsage)
	}
	return at.with(ctx, p, func() error {
		switch do {
		case "add":
			return p.hire(ctx, at.db, rest[0], &add)
		case "bind":
			return p.bindPerson(ctx, at.db, rest[0], bound)
		case "password":
			return p.newPassword(ctx, at.db, rest[0])
		}
		return p.listPeople(ctx, at.db)
	})
}

// hired is a person as the flags describe one.
type hired struct {
	staff, roles, shops string
	operators           []casework.Operator
	inactive            bool
}

func (h *hired) flags(p *program, text func(*string, string, string, string), each func(string, string, func(string) error)) {
	text(&h.staff, "staff", "", p.t("`number` as an employee; for ever his", "工号"))
	text(&h.roles, "role", "", p.t("cashier, manager, analyst, checker, supervisor, finance, auditor, admin; several with commas", "角色，逗号分隔"))
	text(&h.shops, "shop", "", p.t("`ids` of stores, with commas; * for all", "门店，逗号分隔；* 为全部"))
	each("operator", p.t("`merchant/terminal/number` as a cashier, an empty terminal for all; may come again", "收银员编号 商户/终端/编号，可重复"), func(s string) error {
		parts := strings.Split(s, "/")
		if len(parts) != 3 {
			return fmt.Errorf("want merchant/terminal/number")
		}
		h.operators = append(h.operators, casework.Operator{MerchantID: parts[0], TerminalID: parts[1], Operator: parts[2]})
		return nil
	})
}

// hire makes or changes a person; a new one gets a password.
func (p *program) hire(ctx context.Context, db *store.Store, id string, h *hired) error {
	split := func(s string) []string {
		return append([]string{}, strings.FieldsFunc(s, func(c rune) bool { return c == ',' })...)
	}
	one := casework.Person{ID: id, Staff: h.staff, Roles: split(h.roles), Stores: split(h.shops), Operators: append([]casework.Operator{}, h.operators...), Active: !h.inactive}
	b, err := json.Marshal(one)
	if err != nil {
		return err
	}
	if err := db.Hire(ctx, p.now(), b); err != nil {
		return err
	}
	if l, err := db.Login(ctx, id); err != nil || l.Hash != "" || h.inactive {
		return err
	}
	return p.newPassword(ctx, db, id)
}

// bindPerson lets a person log in as an identity of a provider (casework.md § 13).
func (p *program) bindPerson(ctx context.Context, db *store.Store, id string, one store.Identity) error {
	if one.Issuer == "" {
		return fmt.Errorf("%w: --issuer is needed", errUsage)
	}
	one.Person, one.By, one.At = id, "machine", p.now()
	return db.Bind(ctx, one)
}

// newPassword prints a password that must be changed at first use.
func (p *program) newPassword(ctx context.Context, db *store.Store, id string) error {
	if _, err := db.Person(ctx, id); err != nil {
		return err
	}
	password := people.FirstPassword()
	if err := db.SetLogin(ctx, id, store.Login{Hash: people.Hash(password), MustChange: true}); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]string{"login": id, "password": password})
	}
	_, err := fmt.Fprintf(p.stdout, p.t("login %s  password %s  (to be changed at first use)\n", "账号 %s  密码 %s（首次使用须修改）\n"), id, password)
	return err
}

func (p *program) listPeople(ctx context.Context, db *store.Store) error {
	list, err := db.People(ctx)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(list)
	}
	for _, one := range list {
		state := ""
		if !one.Active {
			state = p.t("  inactive", "  停用")
		}
		if _, err := fmt.Fprintf(p.stdout, "%-32s %-12s %s  %s%s\n", one.ID, one.Staff, strings.Join(slices.Sorted(slices.Values(one.Roles)), ","), strings.Join(one.Stores, ","), state); err != nil {
			return err
		}
	}
	return nil
}
