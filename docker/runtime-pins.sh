#!/bin/sh
# Prints what the program itself depends on, one requirement a line, as pyproject.toml names it.
python - <<'END'
import tomllib

print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))
END
