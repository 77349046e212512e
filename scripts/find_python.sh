#!/usr/bin/env bash
# usage: find_python.sh VERSION. Prints a working Python of that version: on PATH, else among those pyenv holds; exit code 1 for none.
set -euo pipefail
version=$1
shopt -s nullglob
for candidate in "python$version" "$HOME/.pyenv/versions/$version".*/bin/python; do
    # A pyenv shim answers to every name and then refuses: only a Python that says its version counts.
    if [ "$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$version" ]; then
        "$candidate" -c 'import sys; print(sys.executable)'
        exit 0
    fi
done
exit 1
