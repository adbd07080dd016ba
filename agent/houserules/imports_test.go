package houserules

import (
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the table of rooms in agent/README.md: for each room, which of ours it
// may import. The longest matching prefix of a package's folder decides; "/..."
// in an entry allows the folder and everything below it.
var mayImport = map[string][]string{
	"cmd/yuanlu/ports":  {"agent/config", "agent/ingest", "drivers/serialport", "drivers/usbport"},
	"cmd/yuanlu/screen": {"cmd/yuanlu/ports", "agent/ask", "agent/guard", "agent/guard/till", "agent/capture", "agent/catalogue", "agent/config", "agent/health", "agent/ingest", "agent/ledger", "agent/logbook", "agent/probe", "agent/refund", "protocol/explain", "protocol/printable"},
	"cmd/yuanlu":        {"cmd/manual", "cmd/yuanlu/ports", "cmd/yuanlu/screen", "agent/...", "drivers/serialport", "drivers/usbport", "protocol/..."},
	"cmd/manual":        {},
	"cmd/firmware-sim":  {"firmware-sim/...", "protocol/notices"},
	"cmd/yuanlu-desk":   {"agent/newfile", "cmd/manual", "cmd/yuanlu-desk/...", "protocol/evidence/...", "protocol/mqtt", "protocol/printable", "protocol/topics", "protocol/notices"},
	"cmd/yuanlu-verify": {"cmd/manual", "cmd/yuanlu-verify/verify", "protocol/notices", "protocol/printable"},
	// The checks of a pack: pure.
	"cmd/yuanlu-verify/verify": {"protocol/evidence/..."},
	// The work on a case: pure.
	"cmd/yuanlu-desk/casework": {"protocol/strictjson"},
	// Bills of platforms and acquirers: pure.
	"cmd/yuanlu-desk/bills":       {},
	"cmd/yuanlu-desk/bills/match": {"cmd/yuanlu-desk/bills", "protocol/daydigest", "protocol/strictjson"},
	// What people are notified of, and by what.
	"cmd/yuanlu-desk/notify": {"cmd/yuanlu-desk/store"},
	// What the desk's doctor finds.
	"cmd/yuanlu-desk/checkup": {"cmd/yuanlu-desk/casework"},
	// What people see in a browser.
	"cmd/yuanlu-desk/page": {"cmd/yuanlu-desk/casework", "cmd/yuanlu-desk/holds", "cmd/yuanlu-desk/store"},
	// Packs, pure; and who stamps them.
	"cmd/yuanlu-desk/evidence": {"cmd/yuanlu-desk/casework", "cmd/yuanlu-desk/tsa", "cmd/yuanlu-verify/verify", "protocol/evidence/..."}, // the second and third in tests
	"cmd/yuanlu-desk/tsa":      {"protocol/evidence/seal"},
	// What the desk answers to a terminal's checkpoint: pure.
	"cmd/yuanlu-desk/cosign": {"protocol/evidence"},
	// Leaves of cases, asked of terminals.
	"cmd/yuanlu-desk/leaves": {"cmd/yuanlu-desk/store", "protocol/evidence", "protocol/topics"},
	// Passwords and sessions.
	"cmd/yuanlu-desk/people": {},
	// People who log in by a provider of OpenID Connect.
	"cmd/yuanlu-desk/oidc": {"cmd/yuanlu-desk/people"},

	"agent":            {"agent/...", "protocol/evidence"},
	"agent/houserules": {"agent/catalogue", "agent/codes"},
	"agent/proofs":     {"agent/ledger", "protocol/evidence", "protocol/evidence/pack"},
	"agent/config":     {"agent/catalogue", "agent/spelling", "agent/tomlfile", "protocol/evidence"},
	"agent/desired":    {"agent/catalogue", "agent/config", "agent/newfile", "protocol/printable"},
	"agent/command":    {"agent/ask", "agent/bundle", "agent/capture", "agent/config", "agent/control", "agent/desired", "agent/guard", "agent/ingest", "agent/ledger", "agent/logbook", "agent/machine", "agent/refund", "agent/report", "agent/sanitise", "protocol/evidence", "protocol/printable"},
	"agent/capture":    {},
	"agent/codes":      {"agent/catalogue"},
	"agent/bundle":     {"agent/capture", "agent/config", "agent/desired", "agent/health", "agent/ledger", "agent/logbook", "agent/machine", "agent/newfile", "protocol/cardnumber", "protocol/printable"},
	"agent/dryrun":     {"agent/ask", "agent/ingest", "agent/ledger", "agent/refund"},
	"agent/transfer":   {"agent/ledger", "agent/newfile"},
	"agent/probe":      {"agent/ingest", "protocol/frame"},
	"agent/newfile":    {},
	"agent/logbook":    {"protocol/cardnumber", "protocol/printable"},
	"agent/beat":       {},
	"agent/ingest":     {"agent/beat", "agent/refund", "agent/sanitise", "agent/spelling", "agent/tomlfile", "protocol/..."},
	// What becomes of a case (casework.md § 12).
	"agent/follow": {"agent/refund"},
	// What guard.md decides, and the daemon's half of it.
	"agent/ask":    {"agent/refund", "agent/refund/memhistory"},
	"agent/guard":  {"agent/ask", "agent/ledger", "agent/refund", "protocol/cardnumber"},
	"agent/refund": {"protocol/cardnumber", "protocol/printable", "protocol/strictjson"},
	// A memory of events for tests and small tools, random journals for tests, and
	// the rules, one file each.
	"agent/refund/memhistory":    {"agent/refund"},
	"agent/refund/randomjournal": {"agent/refund"},
	"agent/refund/rules":         {"agent/refund"},
	"agent/guard/till":           {"agent/ask", "agent/control", "agent/guard", "agent/ingest", "agent/refund", "protocol/sensitive", "protocol/smart"},
	"agent/guard/api":            {"agent/ask", "agent/guard", "agent/guard/till", "agent/localhttp", "agent/refund", "protocol/strictjson"},
	"agent/guard/pins":           {"agent/newfile", "agent/refund"},
	"agent/ledger":               {"agent/ask", "agent/follow", "agent/ledger/...", "agent/newfile", "agent/refund", "protocol/daydigest", "protocol/evidence"},
	"agent/ledger/tree":          {"protocol/evidence"},
	"agent/ledger/outbox":        {"agent/ledger/rows", "agent/ledger/sqlite", "agent/refund"},
	"agent/ledger/sqlite":        {},
	"agent/ledger/packed":        {},
	"agent/ledger/rows":          {"agent/ledger/packed", "agent/ledger/sqlite", "agent/refund"},
	"agent/ledger/salvage":       {"agent/ledger/sqlite", "agent/ledger/rows", "agent/refund"},
	"agent/ledger/carry":         {"agent/ledger/sqlite"},
	"agent/report":               {"agent/beat", "agent/refund", "agent/health", "agent/logbook", "protocol/evidence", "protocol/mqtt", "protocol/topics", "protocol/printable"},
	"agent/control":              {"agent/refund"},
	"agent/health":               {"agent/catalogue", "agent/config", "agent/refund", "agent/ingest", "agent/ledger", "protocol/printable"}, // the last two for what they report of themselves
	"agent/machine":              {"agent/config", "agent/health"},
	"agent/metrics":              {"agent/health", "agent/ingest", "agent/refund"},
	"agent/metrics/scrape":       {"agent/metrics", "agent/config", "agent/localhttp"},
	"agent/localhttp":            {},

	"drivers":            {},
	"drivers/drivertest": {},
	"protocol/frame":     {},
	"protocol/mispos":    {"protocol/explain", "protocol/frame", "protocol/currency", "protocol/sensitive"},
	"protocol/cup8583":   {"protocol/explain", "protocol/frame", "protocol/currency", "protocol/sensitive"},
	"protocol/smart":     {"protocol/explain", "protocol/frame", "protocol/currency", "protocol/sensitive", "protocol/strictjson"},
	"protocol/notices":   {},
	"protocol/daydigest": {},
	"protocol/mqtt":      {},
	// Brokers, real and hostile, and a client for tests.
	"protocol/mqtt/brokertest": {"protocol/topics", "protocol/topics/topicstest"},
	"protocol/sensitive":       {},
	"protocol/explain":         {},
	"protocol/currency":        {},
	"protocol/printable":       {},
	"protocol/topics":          {"protocol/strictjson"},
	// Texts for people in both languages, and what tests find foreign in them.
	"agent/catalogue": {"agent/catalogue/cataloguetest"},
	// TOML with places, and the name that a misspelt one was meant to be.
	"agent/tomlfile": {},
	"agent/spelling": {},
	// What may be kept of the bytes of a link.
	"agent/sanitise": {"protocol/cardnumber", "protocol/cup8583", "protocol/frame", "protocol/mispos", "protocol/strictjson"},
	// The check digit of card numbers.
	"protocol/cardnumber": {},
	// The one reader of JSON.
	"protocol/strictjson": {},
	// Leaves, trees, notes and packs of evidence.md.
	"protocol/evidence":      {"protocol/strictjson"},
	"protocol/evidence/pack": {"protocol/evidence"},
	"protocol/evidence/seal": {"protocol/evidence"},
	// What every message in a test must satisfy.
	"protocol/topics/topicstest": {"protocol/topics"},
	"protocol/wiretest":          {},
	"firmware-sim":               {"firmware-sim/..."},
	// Many light terminals; the brokers in tests, which check every message against the contract.
	"firmware-sim/fleet": {"protocol/mqtt", "protocol/mqtt/brokertest"},
}

// onlyHere names the one room that may know a part.
var onlyHere = map[string][]string{
	"github.com/eclipse/paho.mqtt.golang":      {"protocol/mqtt"},
	"modernc.org/sqlite":                       {"agent/ledger/sqlite", "cmd/yuanlu-desk/store"},
	"github.com/jackc/pgx/v5":                  {"cmd/yuanlu-desk/store"},
	"github.com/pressly/goose/v3":              {"cmd/yuanlu-desk/store"},
	"github.com/coreos/go-oidc/v3":             {"cmd/yuanlu-desk/oidc"},
	"golang.org/x/oauth2":                      {"cmd/yuanlu-desk/oidc"},
	"go.bug.st/serial":                         {"drivers/serialport"},
	"golang.org/x/crypto/argon2":               {"agent/guard/pins", "cmd/yuanlu-desk"},
	"github.com/google/gousb":                  {"drivers/usbport"},
	"github.com/prometheus/client_golang":      {"cmd/yuanlu-desk/metrics"},
	"github.com/moov-io/iso8583":               {"protocol/cup8583"},
	"golang.org/x/mod":                         {"agent/ledger/tree", "cmd/yuanlu-desk/store", "protocol/evidence"},
	"github.com/pelletier/go-toml/v2/unstable": {"agent/tomlfile"},
	"github.com/mochi-mqtt/server/v2":          {"firmware-sim", "cmd/firmware-sim"},
}

func TestImportTable(t *testing.T) {
	code(t, func(r *room, f sourceFile, _ *token.FileSet) {
		allowed, known := rule(r.dir)
		if !known {
			t.Errorf("%s: no line in the import table for this room", r.dir)
			return
		}
		for _, spec := range f.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			ours, isOurs := strings.CutPrefix(imported, module+"/")
			switch {
			case isOurs && !within(ours, allowed):
				t.Errorf("%s imports %s; it may import %v", f.path, ours, allowed)
			case !isOurs && pure(r.dir) && strings.Contains(strings.Split(imported, "/")[0], "."):
				t.Errorf("%s imports %s; %s knows the standard library only", f.path, imported, r.dir)
			}
			for part, rooms := range onlyHere {
				if (imported == part || strings.HasPrefix(imported, part+"/")) && !below(r.dir, rooms) {
					t.Errorf("%s imports %s; only %v may", f.path, imported, rooms)
				}
			}
		}
	})
}

// pure reports whether a room is a pure core, which knows no library of others.
func pure(dir string) bool {
	return strings.HasPrefix(dir, "agent/refund") || strings.HasPrefix(dir, "cmd/yuanlu-desk/casework")
}

// rule returns the line of the table for a folder.
func rule(dir string) (allowed []string, known bool) {
	for d := dir; ; d = d[:strings.LastIndexByte(d, '/')] {
		if a, ok := mayImport[d]; ok {
			return a, true
		}
		if !strings.Contains(d, "/") {
			return nil, false
		}
	}
}

func within(pkg string, allowed []string) bool {
	for _, a := range allowed {
		if tree, ok := strings.CutSuffix(a, "/..."); ok && (pkg == tree || strings.HasPrefix(pkg, tree+"/")) || pkg == a {
			return true
		}
	}
	return false
}

func below(dir string, rooms []string) bool {
	for _, r := range rooms {
		if dir == r || strings.HasPrefix(dir, r+"/") {
			return true
		}
	}
	return false
}

// A hyphen is not a package name: firmware-sim holds folders only.
func TestNoGoFileDirectlyInFirmwareSim(t *testing.T) {
	all, _ := rooms(t)
	if r, ok := all["firmware-sim"]; ok {
		t.Errorf("%s stands directly in firmware-sim/", r.files[0].path)
	}
}

func TestNoGrabBagRooms(t *testing.T) {
	all, _ := rooms(t)
	for dir, r := range all {
		switch r.name {
		case "util", "utils", "common", "helper", "helpers", "types", "errors", "misc":
			t.Errorf("%s: a package called %s says nothing about what is in it", dir, r.name)
		}
	}
}
