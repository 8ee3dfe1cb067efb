#!/usr/bin/env bash
# Makes the README's pictures of the real program, with a real browser and a real call.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -tags screenshots -count=1 -run TestScreenshots ./internal/e2e/browser
ls -l docs/images
