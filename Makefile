# RAD Panel: `make help` lists the targets.
#
# Every target installs what it lacks and is safe to run again.

STACK ?= mvp

GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)
# Where a run of the tests leaves what a person may want to look at.
RESULTS := test-results

SERVICES  := postgresql pgbouncer nginx-light libnginx-mod-http-brotli-static runit redis-server \
	prometheus prometheus-alertmanager prometheus-node-exporter prometheus-postgres-exporter prometheus-redis-exporter \
	prometheus-blackbox-exporter
FRONT_END := nodejs npm
TESTS     := gcc libc6-dev chromium cloud-init shellcheck systemd systemd-journal-remote gpg gpgv
LINTERS   := shellcheck gcc libc6-dev

.DEFAULT_GOAL := help
.PHONY: help release test-promote test-host up down status build test lint fmt bench bench-promote docs generate packages go web

help: ## List the targets
	@echo "make TARGET [STACK=mvp]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: build ## Bring a panel up on this machine and print its address
	bin/rad up $(STACK)

down: build ## Stop it; its data stays (remove that too: bin/rad down --purge)
	bin/rad down $(STACK)

status: build ## Show its services, and what was restarted
	bin/rad status $(STACK)

# The tiers whose files are in an S3 server of their own, and those that keep traces.
S3_TIERS     := tier2 local-tier2
TRACED_TIERS := tier1 local-tier1 tier2 local-tier2

build: packages go web $(if $(filter $(S3_TIERS),$(STACK)),bin/versitygw) $(if $(filter $(TRACED_TIERS),$(STACK)),bin/jaeger) ## Build rad, the service, the provider and the front end into bin/

# The S3 server of this machine's stacks: two minutes, once.
bin/versitygw: tools/s3server/go.mod
	@tools/require-go
	cd tools/s3server && $(GO) build -trimpath -ldflags '-s -w' -o ../../bin/versitygw github.com/versity/versitygw/cmd/versitygw
	@touch $@

# The store of traces of this machine's stacks: three minutes, once.
bin/jaeger: tools/tracestore/go.mod
	@tools/require-go
	cd tools/tracestore && $(GO) build -trimpath -ldflags '-s -w' -o ../../bin/jaeger github.com/jaegertracing/jaeger/cmd/all-in-one
	@touch $@

# A certificate authority, and the DNS that it asks, for the test of a host in a cloud.
bin/pebble: tools/acme/go.mod
	@tools/require-go
	cd tools/acme && $(GO) build -trimpath -ldflags '-s -w' -o ../../bin/ github.com/letsencrypt/pebble/v2/cmd/pebble github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv
	@touch $@

packages:
	@tools/require $(SERVICES) $(if $(shell command -v npm),,$(FRONT_END))

go:
	@tools/require-go
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/rad ./cmd/rad
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/radpanel ./app
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/pulumi-resource-radlocal ./cmd/pulumi-resource-radlocal

# What hosts in a cloud fetch. The same sources give the same bytes, hence the same checksum.
ARCH ?= arm64
release: web ## Build the release for hosts in a cloud into dist/, with its checksum (ARCH=arm64)
	@tools/require-go
	rm -rf dist/release && mkdir -p dist/release/bin
	CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO) build -trimpath -buildvcs=false -ldflags '-s -w $(LDFLAGS)' -o dist/release/bin/ ./cmd/rad-host
	CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO) build -trimpath -buildvcs=false -ldflags '-s -w $(LDFLAGS)' -o dist/release/bin/radpanel ./app
	cp -r bin/web dist/release/web
	mkdir dist/release/share && cp infra/host/share/amazon-ssm-agent.asc dist/release/share/
	tar -C dist/release --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=go=rX,u+rw,a-s -cf - bin share web | gzip -9n > dist/radpanel-linux-$(ARCH).tar.gz
	cd dist && sha256sum radpanel-linux-$(ARCH).tar.gz | tee radpanel-linux-$(ARCH).tar.gz.sha256

web: packages bin/web/index.html

# npm is asked only when the lock file changed, Vite only when a source did.
WEB_SOURCES := $(shell find app/web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/e2e/*' 2>/dev/null)

app/web/node_modules/.installed: app/web/package-lock.json
	cd app/web && npm ci --no-progress
	@touch $@

bin/web/index.html: app/web/node_modules/.installed $(WEB_SOURCES)
	cd app/web && npm run build
	@rm -rf bin/web && mkdir -p bin && cp -r app/web/dist bin/web && touch $@

# A test that fails is run once more, by itself: the machine may be shared. One that passes then fails nothing, but is told with what it
# said, and named in a report: a bug to be understood all the same. A data race, a panic or many failures end the run.
GO_TEST = $(TOOL) gotestsum --rerun-fails=1 --rerun-fails-run-root-test --rerun-fails-max-failures=6 --rerun-fails-abort-on-data-race \
	--rerun-fails-report=$(RESULTS)/rerun-$(1).txt

test: build bin/versitygw bin/jaeger ## Run every test: units, real services, whole stacks, browser
	@tools/require $(TESTS)
	@mkdir -p $(RESULTS)
	bin/rad prepare
	@rm -f $(RESULTS)/rerun-*.txt
	$(call GO_TEST,units) --format pkgname --packages "$$($(GO) list ./... | grep -v /test/e2e | xargs)" -- -race -timeout 30m
	$(call GO_TEST,stacks) --format testname --packages ./test/e2e -- -timeout 40m
	cd app/web && npm run check && npm test
	@! grep . $(RESULTS)/rerun-*.txt 2>/dev/null || echo "The tests above failed once, and passed when they were run again: bugs to be understood."

test-promote: build bin/versitygw bin/jaeger ## Meet every fault at every point of a promotion: more than an hour
	@tools/require $(TESTS)
	@mkdir -p $(RESULTS)
	bin/rad prepare
	RAD_TEST_PROMOTE=1 $(GO) test -count=1 -timeout 180m -v -run Promoti ./test/e2e

test-host: bin/versitygw bin/pebble ## Boot hosts of a cloud in containers, and see them become a panel (root; half an hour)
	@tools/require $(TESTS) debootstrap systemd-container iproute2 e2fsprogs
	$(MAKE) --no-print-directory release ARCH=$(shell $(GO) env GOARCH)
	RAD_TEST_HOST=1 $(GO) test -count=1 -timeout 60m -v ./test/hostboot

lint: ## Check the code; nothing may be found
	@tools/require-go
	@tools/require $(LINTERS) $(if $(shell command -v npm),,$(FRONT_END))
	shellcheck .ci/run tools/require tools/require-go tools/vulnerabilities test/hostboot/image
	$(TOOL) golangci-lint run ./...
	$(GO) tool -modfile=tools/actionlint/go.mod actionlint
	@tools/vulnerabilities
	$(MAKE) --no-print-directory app/web/node_modules/.installed
	cd app/web && npm run lint

fmt: ## Format the code
	$(TOOL) golangci-lint fmt ./...

bench: build ## Measure the panel under the load of its tier's capacity
	$(GO) run ./test/bench $(STACK)

# BENCH='-from tier1 -rate 500': from another tier, at another rate than its capacity.
bench-promote: build bin/jaeger bin/versitygw ## Measure promotions under load: how long writes are held, what fails, how fast is copied
	$(GO) run ./test/bench/promote $(BENCH)

docs: ## Write the documents that are generated from code
	$(GO) run ./stacks/docs
	$(GO) run ./infra/monitoring/docs
	$(GO) run ./cmd/rad docs > docs/rad.md.new && mv docs/rad.md.new docs/rad.md

generate: docs ## Write everything that is generated: queries, API document, its TypeScript types, documents
	cd app/database && $(GO) tool -modfile=../../tools/go.mod sqlc generate
	$(GO) run ./app openapi > app/api/openapi.json.new && mv app/api/openapi.json.new app/api/openapi.json
	cd app/web && npm run generate
