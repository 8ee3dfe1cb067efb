# Hotline. `make help` lists what there is; README.md tells the two commands a newcomer needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)
GOFLAGS_BUILD := -trimpath -ldflags "-s -w -X hotline/internal/app.Version=$(VERSION)"
export HOTLINE_DATA_DIR ?= $(CURDIR)/data
UI_SOURCES := $(shell find web/src web/index.html web/package-lock.json web/vite.config.ts web/public -type f 2>/dev/null)

.PHONY: help run build ui test check unit e2e e2e-asterisk bench fuzz generate setup setup-test lint clean screenshots

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

run: setup build ## install what is missing, build, start with the demo company
	HOTLINE_DEMO=1 bin/hotline serve

setup: ## install what the server needs
	@scripts/setup.sh run

setup-test: ## install what the tests need as well
	@scripts/setup.sh test

build: ui ## build bin/hotline with the pages inside
	CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o bin/hotline ./cmd/hotline

ui: web/dist/index.html ## build the pages

web/node_modules/.stamp: web/package-lock.json
	cd web && npm ci --no-audit --no-fund --loglevel=error
	touch $@

web/dist/index.html: web/node_modules/.stamp $(UI_SOURCES)
	cd web && npm run build --silent

test: setup-test check unit e2e e2e-asterisk ## everything CI runs, on a fresh machine, real parts included
	@echo "all suites ran"

check: ui lint ## formatting, vet, import rules, types and style of the pages, shipped voice menus
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted (gofmt -w):"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	cd web && npm run check --silent
	go run ./cmd/hotline flow check ivr/demo/set
	go run ./cmd/hotline flow test ivr/demo/set

lint: ## the linter with the import rules
	@scripts/lint.sh

unit: ui ## tests of packages and of the pages
	cd web && npm test --silent
	go test -race -shuffle=on -timeout 15m $$(go list ./... | grep -v /internal/e2e)

e2e: setup-test build ## whole-system tests: SIP, browsers, PostgreSQL
	go test -race -shuffle=on -timeout 15m -p 1 ./internal/e2e/...

e2e-asterisk: setup-test build ## the same suite behind a real Asterisk
	HOTLINE_TEST_DRIVER=asterisk go test -race -shuffle=on -timeout 15m -p 1 ./internal/e2e ./internal/e2e/browser

bench: setup-test ## benchmarks, as ratios in one run
	go test -run '^$$' -bench . -benchmem ./telephony/... ./queue/... ./internal/...

FUZZTIME ?= 20s
fuzz: ## every fuzz target for FUZZTIME
	@scripts/fuzz.sh $(FUZZTIME)

generate: ## generated files; CI wants them unchanged
	go run ./cmd/hotline config > docs/settings.yaml

screenshots: build ## pictures for the README, made by a real browser
	scripts/screenshots.sh

clean: ## remove what was built
	rm -rf bin web/dist/assets web/dist/index.html web/node_modules .cache
