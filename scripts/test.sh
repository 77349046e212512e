#!/usr/bin/env bash
# The whole suite in lanes, quickest first. Fails when a test failed, when one was skipped, and when a lane holds no test at all.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.tools/bin:$PATH"
reports=var/test
mkdir -p "$reports"
rm -f "$reports"/*.xml

# lane NAME PYTHON MARKER [PYTEST OPTIONS]: one run of pytest; what it counted is read back from its report.
lane() {
    local name=$1 python=$2 marker=$3
    shift 3
    echo
    echo "test: $name"
    "$python" -m pytest -q -m "$marker" --junit-xml="$reports/$name.xml" "$@"
    "$python" scripts/counted.py "$reports/$name.xml"
}

scripts/check.sh

ours=.venv/bin/python
lane pure "$ours" pure -n 2
lane wire "$ours" wire -n 2
lane store "$ours" store -n 2
lane web "$ours" web -n 2
lane sim "$ours" sim -n 2
lane live "$ours" live -n 2 --dist loadfile

# The other Pythons we claim, where the machine has them: what decides and what speaks, without the slow rest.
for version in 3.12 3.13; do
    python=$(scripts/find_python.sh "$version") || {
        echo "test: no Python $version on this machine, its lane is left out"
        continue
    }
    scripts/venv.sh "$python" ".venv-$version"
    HYPOTHESIS_PROFILE=quick lane "python-$version" ".venv-$version/bin/python" "pure or wire" -n 2 --dist loadfile --ignore=tests/gate
done

echo
echo "test: all lanes passed"
"$ours" scripts/counted.py --total "$reports"/*.xml
