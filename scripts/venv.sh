#!/usr/bin/env bash
# usage: venv.sh PYTHON FOLDER. Makes the virtual environment FOLDER from the exact versions in constraints.txt, or finds it up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 folder=$2

fail() {
    echo "setup: $*" >&2
    exit 1
}

# What the environment was made from: another Python, other pins, another command line or a moved clone make it afresh.
recipe() {
    "$python" -c 'import sys; print(sys.version, sys.executable)'
    pwd
    sed '/^\[tool\./q' pyproject.toml
    cat constraints.txt scripts/venv.sh
}

wanted=$(recipe | sha256sum)
if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/made-from" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

echo "setup: making $folder with $("$python" -V) from constraints.txt"
rm -rf "$folder"
"$python" -m venv "$folder" 2>/dev/null || fail "$python cannot make virtual environments: install the package python3-venv"
pip=("$folder/bin/python" -m pip --disable-pip-version-check --quiet --quiet)

# A download that breaks off in the middle is begun again, which pip itself does not do.
install() {
    local pause_s
    for pause_s in 5 20; do
        "${pip[@]}" install "$@" && return
        echo "setup: pip failed, once more in $pause_s s" >&2
        sleep "$pause_s"
    done
    "${pip[@]}" install "$@"
}

# The builders first, then everything exactly as pinned: constraints.txt says why the builds are not isolated.
mapfile -t builders < <(grep -E '^(packaging|pip|setuptools|setuptools-scm|vcs-versioning)==' constraints.txt)
install --no-deps "${builders[@]}" || fail "pip could not install ${builders[*]}"
install --no-deps --no-build-isolation --no-compile --requirement constraints.txt ||
    fail "pip could not install constraints.txt"
# setuptools warns at length that an editable install is editable.
PYTHONWARNINGS=ignore "${pip[@]}" install --no-deps --no-build-isolation --editable . || fail "pip could not install the program itself"
misfits=$("$folder/bin/python" -m pip check) || fail "constraints.txt does not fit together: $misfits"
# On all processors at once, which pip does not do; a file of another Python's syntax in a package is no reason to stop.
"$folder/bin/python" -m compileall -q -j 0 "$folder/lib" >/dev/null 2>&1 || true
echo "$wanted" >"$folder/made-from"
