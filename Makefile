# make run    installs what is missing, builds, starts the service, shows a first job
# make test   installs what is missing, builds, runs every test
# As root, the parts that need root run as root; jobs and tests never do.

SHELL      := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export GOTOOLCHAIN ?= auto
export CGO_ENABLED := 1

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PREFIX  ?= /usr/local
BINARY  := $(CURDIR)/bin/cordon
# A static binary runs on any Linux of its architecture. osusergo and netgo keep
# the C library's plug-ins out of it.
STATIC  := -tags osusergo,netgo -trimpath -ldflags '-s -w -X main.version=$(VERSION) -linkmode external -extldflags "-static"'

.PHONY: all build web screenshots clients deps run test test-escape lint fuzz bench bench-stages install clean

all: build

deps:
	@test/deps

build: deps
	@web/build --if-possible
	go build $(STATIC) -o $(BINARY) ./cmd/cordon

# The page, which go build embeds.
web:
	@web/build

# The page's pictures, as docs/images has them.
screenshots: build
	@test/screenshots

# Root sets up what needs root and goes on as the service user; everybody else
# starts the service as themselves.
run: build
	@if [ "$$(id -u)" = 0 ]; then exec $(BINARY) setup -- $(BINARY) serve --hello; else exec $(BINARY) serve --hello; fi

test: build
	@test/all

# Only the attempts to get out, but three times, and three times under load.
test-escape: build
	@test/escape

lint: deps
	@test/lint

# The types of the Go, TypeScript and Python clients, from httpapi/openapi.yaml.
clients:
	@clients/generate

fuzz: deps
	@test/fuzz $(FUZZTIME)

# make bench ARGS="--full --plot plots"
bench: build
	@if [ "$$(id -u)" = 0 ]; then exec $(BINARY) setup --quiet -- $(BINARY) bench $(ARGS); else exec $(BINARY) bench $(ARGS); fi

# The inner stages by themselves, as benchstat reads it: make bench-stages COUNT=10 > new.txt
bench-stages: build
	@if [ "$$(id -u)" = 0 ]; then $(BINARY) setup --quiet; fi
	go test -exec "$(CURDIR)/test/as-service-user" -run '^$$' -bench . -count $(or $(COUNT),6) ./policy ./seccomp ./httpapi ./cgroup ./sandbox

install: build
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/cordon

clean:
	rm -rf bin web/assets/dist
