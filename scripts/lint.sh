#!/usr/bin/env bash
# Runs golangci-lint, built once from its module into .cache, so that nothing is downloaded but through the module proxy.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v2.15.0
bin=.cache/golangci-lint-$version
if [ ! -x "$bin" ]; then
  echo "lint: building golangci-lint $version, once"
  mkdir -p .cache
  GOBIN="$PWD/.cache" go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
  mv .cache/golangci-lint "$bin"
fi
exec "$bin" run --timeout 10m ./...
