package main

import (
	"context"
	"errors"

	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/guard"
	"yuanlu/agent/ledger"
)

func practiceVerb() *verb {
	return &verb{name: "practice", usage: "[--config F]",
		en: "training refunds that were asked about: per cashier asks, held ones, how many he corrected himself", zh: "退款练习：各收银员的核查、暂停和自行更正次数", run: (*program).practice}
}

// practice prints how each operator did: by the daemon, else by what the store has, which is
// what was held. Source: guard.md § 7.
func (p *program) practice(ctx context.Context, args []string) error {
	v := practiceVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	c, _, err := p.configInForce(*path)
	if err != nil {
		return err
	}
	var all []guard.Practised
	err = control.Call(ctx, c.Control.Socket, "practice-list", nil, control.Each(func(one guard.Practised) error {
		all = append(all, one)
		return nil
	}))
	stored := errors.Is(err, control.ErrNotRunning)
	if stored {
		all, err = storedPractice(ctx, c.Config)
	}
	if err != nil {
		return err
	}
	if !p.json {
		return p.people(c.Time.Location()).Practice(all, stored)
	}
	for i := range all {
		if err := p.printJSON(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

// storedPractice counts what the store of a daemon that does not run has.
func storedPractice(ctx context.Context, c *config.Config) (all []guard.Practised, err error) {
	db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	asks, err := db.Asks(ctx)
	return guard.PractisedBy(asks), err
}
