#!/usr/bin/env bash
# Runs every fuzz target for the time given.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-20s}
grep -rlE '^func Fuzz' --include '*_test.go' . | while read -r f; do
  pkg=./$(dirname "$f")
  grep -ohE '^func Fuzz[A-Za-z0-9_]+' "$f" | sed 's/func //' | while read -r target; do
    echo "fuzz: $pkg $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1s "$pkg"
  done
done
