package main

import (
	"strings"
	"testing"
)

// TestAPIGuard: the description of the local API, for machines.
func TestAPIGuard(t *testing.T) {
	code, out, errs := yl(t, "", "api", "guard")
	if code != 0 || errs != "" || !strings.HasPrefix(out, "{") || !strings.Contains(out, `"openapi": "3.1.0"`) {
		t.Error(code, errs)
	}
}
