#!/usr/bin/env bash
# Write requirements/*.lock from pyproject.toml: every package with its version and hashes, for every platform.
# `scripts/lock.sh --upgrade` takes newer versions; without it, what is locked stays.
# Needs uv (the development tools bring it); installing what is locked needs only pip.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=.venv/bin/uv
[ -x "$uv" ] || uv=$(command -v uv) || { echo "lock: uv is not there; run: make install-dev" >&2; exit 2; }

compile() { # compile OUT ARGUMENTS…
  local out=$1
  shift
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-header --no-annotate --output-file "$out" "$@"
  printf 'lock: %-26s %3d packages\n' "$out" "$(grep -c == "$out")"
}

mkdir -p requirements
# Everything first: the smaller sets then take the same versions.
compile requirements/dev.lock --extra dev pyproject.toml requirements/build.in requirements/dev.in "$@"
compile requirements/run.lock --constraint requirements/dev.lock pyproject.toml "$@"
compile requirements/build.lock --constraint requirements/dev.lock requirements/build.in "$@"
