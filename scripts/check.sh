#!/usr/bin/env bash
# Lint, format, types and imports: each must pass, all are run, so that one look shows everything that is wrong.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

check() {
    local said
    echo "check: $*"
    said=$("$@" 2>&1) || {
        echo "$said"
        failed=1
    }
}

check .venv/bin/ruff check --quiet .
check .venv/bin/ruff format --check --quiet .
check .venv/bin/mypy --strict --no-error-summary controller
check .venv/bin/lint-imports
exit "$failed"
