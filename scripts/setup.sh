#!/usr/bin/env bash
# Makes what the program needs and is quick when nothing is missing: the virtual environment, Asterisk, and with TEST=1 the test tools.
# Nothing is installed system-wide; everything stands in .venv, .asterisk and .tools of this clone.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "setup: $*" >&2
    exit 1
}

# The first Python >= 3.11 of those a machine usually has.
find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

python=$(find_python) || fail "no Python 3.11 or newer found (tried python3, python3.13, python3.12, python3.11)"

# Asterisk is fetched while pip works: both wait for the network most of the time.
"$python" -m controller.lab.get_asterisk &
asterisk=$!
scripts/venv.sh "$python" .venv || {
    kill "$asterisk" 2>/dev/null || true
    exit 1
}
wait "$asterisk" || exit 1
if [ "${TEST:-0}" = 1 ]; then
    "$python" -m controller.lab.get_tools
fi
