# Yuanlu. The two commands of the README: make demo, make test; they and make setup install
# what they need (Debian 12 or later, Go 1.26, root). The fast lane is make unit. All other
# goals install nothing: make builds with what is there and prints what it leaves out.

SHELL   := /bin/bash
GO      ?= go
# The same flags for building and testing: each package is compiled once.
export GOFLAGS ?= -trimpath
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
DATE    := $(shell git log -1 --format=%cI 2>/dev/null || date -u +%FT%TZ)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.buildDate=$(DATE)

# Tests that end processes, boot machines, run the twin or measure: never with -race.
SLOW := ^Test(Kill|E2E|Lab|Twin|Soak)

# A long go test; what its failed tests have printed stands at its end once more.
verbose = mkdir -p bin; set -o pipefail; echo "$(GO) test $(2)"; \
  $(GO) test $(2) | tee bin/$(1).out || { .ci/failed bin/$(1).out; exit 1; }

.PHONY: all build static arches demo test unit unit32 e2e lab twin bench soak repeat fuzz nightly vet lint clean setup deb release

all: build

build:
	@tags=$$(.ci/setup tags) && set -x && \
	$(GO) build -tags "$$tags" -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...
	@for p in yuanlu firmware-sim yuanlu-desk yuanlu-verify; do \
	  bin/$$p version --licences >bin/$$p.THIRD_PARTY.txt && bin/$$p version --sbom >bin/$$p.cdx.json || exit 1; done

setup:
	@.ci/setup build test lab root deb

# One static file without USB, for terminals without libusb; the verifier is one everywhere.
static:
	CGO_ENABLED=0 $(GO) build -tags nousb -ldflags '$(LDFLAGS)' -o bin/yuanlu-static ./cmd/yuanlu
	CGO_ENABLED=0 $(GO) build -ldflags '$(LDFLAGS)' -o bin/yuanlu-verify ./cmd/yuanlu-verify
	@bin/yuanlu-static version --licences >bin/yuanlu-static.THIRD_PARTY.txt
	@bin/yuanlu-static version --sbom >bin/yuanlu-static.cdx.json

# The other machines of the field, without USB and C: every program must compile there.
ARCHES ?= arm arm64 386
arches:
	@for a in $(ARCHES); do echo "== linux/$$a"; \
	  CGO_ENABLED=0 GOARCH=$$a GOARM=6 $(GO) build -tags nousb -ldflags '$(LDFLAGS)' -o bin/linux-$$a/ ./cmd/... || exit 1; done

# Debian packages and, with a key, a release: bin/deb, bin/release.
deb:
	@GO=$(GO) VERSION='$(VERSION)' COMMIT='$(COMMIT)' DATE='$(DATE)' LDFLAGS='$(LDFLAGS)' .ci/deb bin/deb

# SIGNING_KEY: an Ed25519 private key (openssl genpkey -algorithm ed25519 -out KEY).
release:
	@GO=$(GO) VERSION='$(VERSION)' COMMIT='$(COMMIT)' DATE='$(DATE)' LDFLAGS='$(LDFLAGS)' SIGNING_KEY='$(SIGNING_KEY)' .ci/release bin/release

# KEEP=1 leaves the desk running with its page until Ctrl-C.
demo:
	@.ci/setup build
	@$(MAKE) --no-print-directory build
	bin/firmware-sim demo --agent bin/yuanlu --desk bin/yuanlu-desk --verify bin/yuanlu-verify$(if $(KEEP), --stay)

test:
	@.ci/setup build test lab root
	@.ci/tree save
	@$(MAKE) --no-print-directory build vet lint static arches unit unit32 twin e2e lab
	@.ci/tree check

# Static checks by pinned programs (.ci/tools/go.mod); go.mod and go.sum as go mod tidy has them.
lint:
	@GO=$(GO) .ci/lint

vet:
	@unformatted=$$(gofmt -l agent cmd drivers firmware-sim protocol); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

unit:
	$(GO) test -race -timeout 25m -skip '$(SLOW)' ./...

# The rooms without a machine in them on a 32-bit one (ARM, emulated by qemu-arm-static).
# Left out: what starts itself as another process, and what tries every byte.
PURE := $(addprefix ./protocol/,cup8583 currency evidence evidence/pack explain frame mispos printable sensitive smart strictjson topics) \
  ./agent/config ./agent/desired ./agent/refund ./agent/refund/rules ./agent/refund/memhistory
unit32:
	CGO_ENABLED=0 GOARCH=arm GOARM=6 $(GO) test -timeout 10m -tags nousb -exec qemu-arm-static \
	  -skip '$(SLOW)|^TestEvery(ByteChanged|Cut|Bit)' $(PURE)

# The judge against its twin, seeded.
twin:
	$(GO) test -timeout 10m -run '^TestTwin' ./agent/refund/... ./agent/ledger

# The program that main builds, against the simulator, mosquitto, kill -9, full disks.
e2e:
	@$(call verbose,e2e,-timeout 20m -v -run '^Test(Kill|E2E)' ./agent/... ./cmd/...)

# USB in a virtual machine, where the kernel has none. YUANLU_USBLAB=1: it must run.
lab: export YUANLU_USBLAB ?= auto
lab:
	@$(call verbose,lab,-timeout 15m -v -run '^TestLab' ./drivers/... ./cmd/...)

# All figures in bin/bench.txt, in the form that benchstat reads; each has its floor of the same
# run, and the load of the machine stands before every part.
bench: build
	@load() { echo "load: $$(cut -d' ' -f1-3 /proc/loadavg)"; }; set -o pipefail; { \
	  load; $(GO) test -run '^$$' -bench . -timeout 20m ./protocol/... ./agent/ingest ./agent/refund/... ./agent/report/... && \
	  load && $(GO) test -run '^$$' -bench . -timeout 30m ./agent/ledger && \
	  load && $(GO) test -run '^$$' -bench . -timeout 20m ./cmd/yuanlu-desk/bills/... && \
	  load && $(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./cmd/yuanlu/e2e && load; } | tee bin/bench.txt

# All of what `make test` runs a seeded tenth of, then every quick test 200 times.
soak: build
	YUANLU_SOAK=1 YUANLU_USBLAB=auto $(GO) test -timeout 120m -v -run '^Test(Kill|E2E|Lab|Twin|Soak)' ./...
	@$(MAKE) --no-print-directory repeat

# Every quick test REPEAT times (200) with -race, beside loaded cores.
repeat:
	@GO=$(GO) .ci/repeat '$(SLOW)'

FUZZTIME ?= 60s
fuzz:
	@set -e; for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p; \
	  done; done

# What takes hours: everything of make soak, and FUZZTIME for each fuzz target, from its kept corpus.
nightly: build lint fuzz soak

clean:
	rm -rf bin
