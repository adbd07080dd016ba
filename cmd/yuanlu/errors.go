package main

import (
	"io/fs"

	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// exitClasses lists which class of errors ends with which code; the first that
// fits decides.
func exitClasses() []exitClass {
	return []exitClass{
		{errUsage, exitUsage},
		{config.ErrConfig, exitConfig},
		{refund.ErrInput, exitData},
		{ledger.ErrCarried, exitData},
		{control.ErrPermission, exitPermission},
		{control.ErrBusy, exitDevice},
		{control.ErrStopping, exitDevice},
		{control.ErrHung, exitDevice},
		{fs.ErrPermission, exitPermission},
		{ledger.ErrNotFound, exitNotFound},
		{ledger.ErrLocked, exitStore},
		{desired.ErrLocked, exitStore},
		{desired.ErrStore, exitStore},
		{ledger.ErrUnavailable, exitStore},
		{ledger.ErrNotMounted, exitStore},
		{ledger.ErrReadOnly, exitStore},
	}
}
