"""Does the property of `test_outbound_history` bite? Each rule of calling out is broken in a copy, and must be found.

`python -m tests.core.outbound_mutants [--examples N] [NAME…]`: one line a mutant, with the history it was found in;
exit 1 when one survives. The sources must still hold what is replaced, so that a rule that moved is not silently left
untried. The questions are the same in each run.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.core.outbound_broken import BROKEN, Broken

ROOT = Path(__file__).parents[2]
RUN = """
from tests.core import test_outbound_history as t
try:
    t.histories()
finally:
    print(t.MET["found"])
"""
EXAMPLES = 1_500
LIMIT_S = 300


class Found(NamedTuple):
    """In which history a mistake was found (0: in none), and what it was called."""

    history: int
    why: str


def copied(folder: Path) -> None:
    """What is needed to run the histories, compiled."""
    for name in ("controller", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "corpus", "recordings")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    compileall.compile_dir(folder, quiet=1)


def tried(folder: Path, file: str, mutant: Broken, examples: int) -> Found:
    """Break a rule in the copy, look for it, and mend it."""
    path = folder / f"controller/core/{file}.py"
    text = path.read_text()
    if mutant.good not in text:
        return Found(0, "the line to break is not there any more")
    path.write_text(text.replace(mutant.good, mutant.bad, 1))
    environment = {**os.environ, "PYTHONPATH": str(folder), "HISTORIES": str(examples), "MUTANT": "1"}
    # Two mutants of one file may be written within a second and be as long: one would be taken for the other compiled.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    path.write_text(text)
    why = [line.strip(" |") for line in done.stderr.splitlines() if "AssertionError" in line or "Error: " in line]
    return Found(int(done.stdout or 0), why[-1][:100] if why else f"exit {done.returncode}")


def main() -> int:
    """Try the mutants that were named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    rows = [(file, row) for file, broken in BROKEN.items() for row in broken]
    chosen = [(file, row) for file, row in rows if not asked.names or any(name in row.name for name in asked.names)]
    left = 0
    with tempfile.TemporaryDirectory() as name:
        copied(Path(name))
        for file, mutant in chosen:
            began = time.monotonic()
            found = tried(Path(name), file, mutant, asked.examples)
            left += not found.history
            how = f"found in {found.history:4d}" if found.history else "SURVIVES     "
            print(f"{how} {time.monotonic() - began:5.1f} s  {file}: {mutant.name}: {found.why}", flush=True)
    print(f"{len(chosen) - left} of {len(chosen)} found")
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
