#!/usr/bin/env bash
# Raises every pin in constraints.txt to what is newest today, within what pyproject.toml allows. Look at the difference, then run the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

python3 -m venv "$fresh"
pip=("$fresh/bin/python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install --upgrade pip setuptools setuptools-scm
# Without isolation here too: what is pinned is what builds.
"${pip[@]}" install --no-build-isolation '.[dev]'
{
    grep '^#' constraints.txt
    "$fresh/bin/python" -m pip freeze --all --exclude tongdai | LC_ALL=C sort --ignore-case
} >"$fresh/constraints.txt"
cp "$fresh/constraints.txt" constraints.txt
git --no-pager diff --stat -- constraints.txt
