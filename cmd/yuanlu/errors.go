package main

import (
	"errors"
	"io/fs"

	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/refund"
)

// exitClasses lists which class of errors ends with which code; the first that
// fits decides.
func exitClasses() []exitClass {
	return []exitClass{
		{errUsage, exitUsage},
		{config.ErrConfig, exitConfig},
		{refund.ErrInput, exitData},
		{control.ErrPermission, exitPermission},
		{fs.ErrPermission, exitPermission},
		{errNotFound, exitNotFound},
	}
}

// errNotFound: what was asked for is not there.
var errNotFound = errors.New("not found")
