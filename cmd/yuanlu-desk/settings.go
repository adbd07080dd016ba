package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pelletier/go-toml/v2"

	"yuanlu/cmd/yuanlu-desk/bills"
)

// mostSettings bounds the file of --config.
const mostSettings = 1 << 20

// settings are what the file of --config holds.
type settings struct {
	Bills struct {
		Account []struct {
			MerchantID string `toml:"merchant_id"` // as bills have it
			Merchant   string `toml:"merchant"`    // as terminals have it
		} `toml:"account"`
	} `toml:"bills"`
}

// readAccounts reads [[bills.account]] of a settings file: the merchant of terminals for each merchant_id of bills
// (bills.md § 7). "" is no file.
func readAccounts(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := readMost(file, mostSettings)
	if err != nil {
		return nil, fmt.Errorf("%w: --config: %w", errConfig, err)
	}
	var s settings
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		var at *toml.DecodeError
		var unknown *toml.StrictMissingError
		switch {
		case errors.As(err, &unknown) && len(unknown.Errors) > 0:
			at = &unknown.Errors[0]
			fallthrough
		case errors.As(err, &at):
			line, column := at.Position()
			return nil, fmt.Errorf("%w: %s:%d:%d: %w", errConfig, bills.Printable(file), line, column, err)
		}
		return nil, fmt.Errorf("%w: %s: %w", errConfig, bills.Printable(file), err)
	}
	accounts := map[string]string{}
	for i, a := range s.Bills.Account {
		if _, twice := accounts[a.MerchantID]; twice || a.MerchantID == "" || a.Merchant == "" {
			return nil, fmt.Errorf("%w: %s: bills.account %d: want merchant_id, each once, and merchant", errConfig, bills.Printable(file), i+1)
		}
		accounts[a.MerchantID] = a.Merchant
	}
	return accounts, nil
}
