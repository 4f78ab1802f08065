# make build   ./pace
# make test    all tests with the race detector; as root on Debian it first installs the servers that they need
# make check   what CI runs: format, vet, lint, tests, builds for other systems
# make bench   pace against cp, rsync and rclone, and all Go benchmarks
# make fuzz    each fuzz test for FUZZTIME
# make tools   the linter, at its pinned version
# make test-deps   only the Debian packages

GO ?= go
FUZZTIME ?= 20s
BENCH ?= .
BENCHTIME ?= 1s
# A package's tests. With the race detector the crawler's took 11 minutes on two cores that had much else to do.
TIMEOUT ?= 30m

# nginx and the PostgreSQL manual are a real server and a real site; strace shows what the modes do; rsync says what a
# filter means; btrfs and XFS are file systems that share data, and e2fsprogs says what they share; wget2 and a browser say
# what a mirror is; redis-server is what a fleet shares.
DEBIAN_PACKAGES := nginx-light postgresql-doc-15 strace rsync btrfs-progs xfsprogs e2fsprogs wget2 chromium redis-server

GOLANGCI_VERSION := v2.15.0
# One folder a version, outside the checkout: every clone on a machine shares it.
GOLANGCI_DIR := $(shell $(GO) env GOPATH)/tools/golangci-lint-$(GOLANGCI_VERSION)
GOLANGCI := $(GOLANGCI_DIR)/golangci-lint

# An S3 server that nobody here wrote.
VERSITYGW_VERSION := v1.8.0
VERSITYGW_DIR := $(shell $(GO) env GOPATH)/tools/versitygw-$(VERSITYGW_VERSION)
VERSITYGW := $(VERSITYGW_DIR)/versitygw

.PHONY: build test test-deps check fmt-check vet lint cross tools bench fuzz clean

# The version comes from git; GOFLAGS may have switched that off.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -o pace ./cmd/pace

# What asks for a quiet machine runs alone, after the others.
test: test-deps $(VERSITYGW)
	CGO_ENABLED=1 $(GO) test -race -timeout $(TIMEOUT) ./...
	PACE_TEST_FULL=1 $(GO) test -timeout $(TIMEOUT) -run '^(TestPolitenessOnManyHosts|TestKilledArchive)' ./crawl

# With PACE_REQUIRE_SERVERS set, a package that cannot be installed is an error; else the tests that need it are skipped.
test-deps:
	@missing=; \
	for p in $(DEBIAN_PACKAGES); do \
		dpkg-query -W -f '$${db:Status-Abbrev}' $$p 2>/dev/null | grep -q '^ii' || missing="$$missing $$p"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing$$missing"; \
		apt-get update -q; \
		DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing && exit 0; \
	fi; \
	echo "not installed:$$missing"; \
	[ -z "$$PACE_REQUIRE_SERVERS" ]

check: fmt-check vet lint cross test

fmt-check:
	@unformatted="$$(gofmt -l cmd copy crawl limiter testdata)"; \
	if [ -n "$$unformatted" ]; then echo "gofmt these:"; echo "$$unformatted"; exit 1; fi

# The folder testdata is left out of "./...".
vet:
	$(GO) vet ./... ./testdata/bench

lint: $(GOLANGCI)
	$(GOLANGCI) run ./...

# go vet checks the tests of each system too.
cross:
	GOOS=windows $(GO) build -o /dev/null ./...
	GOOS=windows $(GO) vet ./...
	GOOS=darwin $(GO) build -o /dev/null ./...
	GOOS=darwin $(GO) vet ./...

tools: $(GOLANGCI)

$(GOLANGCI):
	GOBIN=$(GOLANGCI_DIR) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

$(VERSITYGW):
	GOBIN=$(VERSITYGW_DIR) $(GO) install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION) || \
		[ -z "$$PACE_REQUIRE_SERVERS" ]

bench:
	$(GO) run ./testdata/bench
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

# go test fuzzes one target of one package at a time.
fuzz:
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

clean:
	rm -f pace
