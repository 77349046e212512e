"""What a day tells must not depend on the order of sets and dictionaries: the same under other hash seeds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def told_under_three(module: str, call: str) -> set[str]:
    """What `module`'s `call` returns in three processes of their own, each with another hash seed."""
    name = call.partition("(")[0]
    command = [sys.executable, "-c", f"from {module} import {name}; print({call})"]
    told = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        told.add(done.stdout.strip())
    return told
