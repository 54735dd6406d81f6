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

SERVICES  := postgresql pgbouncer nginx-light runit
FRONT_END := nodejs npm
TESTS     := gcc libc6-dev chromium redis-server
LINTERS   := shellcheck gcc libc6-dev

.DEFAULT_GOAL := help
.PHONY: help up down status build test lint fmt bench docs generate packages go web

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

build: packages go web ## Build rad, the service, the provider and the front end into bin/

packages:
	@tools/require $(SERVICES) $(if $(shell command -v npm),,$(FRONT_END))

go:
	@tools/require-go
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/rad ./cmd/rad
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/radpanel ./app
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/pulumi-resource-radlocal ./cmd/pulumi-resource-radlocal

web: packages bin/web/index.html

# npm is asked only when the lock file changed, Vite only when a source did.
WEB_SOURCES := $(shell find app/web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/e2e/*' 2>/dev/null)

app/web/node_modules/.installed: app/web/package-lock.json
	cd app/web && npm ci --no-progress
	@touch $@

bin/web/index.html: app/web/node_modules/.installed $(WEB_SOURCES)
	cd app/web && npm run build
	@rm -rf bin/web && mkdir -p bin && cp -r app/web/dist bin/web && touch $@

test: build ## Run every test: units, real services, whole stacks, browser
	@tools/require $(TESTS)
	@mkdir -p $(RESULTS)
	bin/rad prepare
	$(GO) test -race -timeout 30m ./...
	cd app/web && npm run check && npm test

lint: ## Check the code; nothing may be found
	@tools/require-go
	@tools/require $(LINTERS) $(if $(shell command -v npm),,$(FRONT_END))
	shellcheck .ci/run tools/require tools/require-go tools/vulnerabilities
	$(TOOL) golangci-lint run ./...
	@tools/vulnerabilities
	$(MAKE) --no-print-directory app/web/node_modules/.installed
	cd app/web && npm run lint

fmt: ## Format the code
	$(TOOL) golangci-lint fmt ./...

bench: build ## Measure the panel under the load of its tier's capacity
	$(GO) run ./bench $(STACK)

docs: ## Write the documents that are generated from code
	$(GO) run ./stacks/docs
	$(GO) run ./cmd/rad docs > docs/rad.md.new && mv docs/rad.md.new docs/rad.md

generate: docs ## Write everything that is generated: queries, API document, its TypeScript types, documents
	cd app/database && $(GO) tool -modfile=../../tools/go.mod sqlc generate
	$(GO) run ./app openapi > app/api/openapi.json.new && mv app/api/openapi.json.new app/api/openapi.json
	cd app/web && npm run generate
