#!/usr/bin/env bash
# The long form of the fuzz programs; the arguments are those of `python -m tests.fuzz`. Installs nothing system-wide.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=.tools/fuzz

if ! cmp -s scripts/fuzz-requirements.txt "$tools/made-from"; then
    rm -rf "$tools"
    .venv/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --target "$tools" \
        --requirement scripts/fuzz-requirements.txt || {
        echo "fuzz: pip could not install scripts/fuzz-requirements.txt" >&2
        exit 1
    }
    cp scripts/fuzz-requirements.txt "$tools/made-from"
fi
# Behind the environment of the program: nothing of this folder may take the place of what is pinned there.
exec env PYTHONPATH="$PWD/$tools" .venv/bin/python -m tests.fuzz "$@"
