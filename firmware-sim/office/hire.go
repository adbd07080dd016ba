package office

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// SetUp makes the shop and its people in the store of a desk, with the verbs of the program bin, as on the desk's machine.
// The desk must have made its store; it may run. SetUp returns the first password of each person, which must be changed at
// first use.
func SetUp(ctx context.Context, bin, store string) (passwords map[string]string, err error) {
	if _, err := order(ctx, bin, setup, "work", "--setup", "-", "--store", store); err != nil {
		return nil, err
	}
	passwords = map[string]string{}
	for _, p := range staff() {
		args := []string{"people", "add", "--json", "--store", store, "--staff", p.staff, "--role", p.roles, "--shop", shop}
		if p.operator != "" {
			args = append(args, "--operator", p.operator)
		}
		out, err := order(ctx, bin, "", append(args, p.id)...)
		if err != nil {
			return nil, err
		}
		var first struct{ Login, Password string }
		if err := json.Unmarshal(out, &first); err != nil || first.Login != p.id {
			return nil, fmt.Errorf("%s people add %s: no password was printed: %w", bin, p.id, err)
		}
		passwords[p.id] = first.Password
	}
	return passwords, nil
}

// order runs a verb of the desk's program.
func order(ctx context.Context, bin, stdin string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", bin, args[0], err, failed.Bytes())
	}
	return out, nil
}
