"""Make the recordings anew: run live tests, keep what the real Asterisk told, and nothing else.

    .venv/bin/python -m tests.recordings.renew [NAME...]

One file a module of tests/live, or a part of one: the setup in force, then every event with its time, gzipped. What is
no event of Asterisk's or a person's (snapshots, setups, time) is not in a journal. A file is renewed when events
changed their shape or a newer Asterisk tells a story differently, never to make a red test green.
"""

from __future__ import annotations

import gzip
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from controller import journal
from controller.lab.get_asterisk import find_asterisk

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEPT = {
    "inbound": ("test_inbound", ""),
    "menus": ("test_menus", ""),
    "strategies": ("test_strategies", ""),
    "outbound": ("test_outbound", "not consult and not asks"),
    "consulting": ("test_outbound", "consult or asks"),
    "holding": ("test_odd_phones", "16 or 05"),
    "resting": ("test_agents", "rest"),
    "limits": ("test_limits", "options or returned or rush"),
}
"""Name: module, and which of its tests."""
TRUNK_PORT = "5070"


def main() -> int:
    for name in sys.argv[1:] or KEPT:
        module, chosen = KEPT[name]
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TONGDAI_RECORDING": folder}
            command = [sys.executable, "-m", "pytest", "-q", "-m", "live", "-k", chosen, f"tests/live/{module}.py"]
            done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
            if done.returncode:
                print(f"{name} failed: its recording stays as it was")
                continue
            lines = events(Path(folder))
        write(HERE / f"{name}.jsonl.gz", setup_of(module), lines)
        print(f"{name}: {len(lines)} events")
    return 0


def events(folder: Path) -> list[list[Any]]:
    """Every event in its order: `[at_ms, name, call, body]`."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in journal.read(path)]
    return [[line.at_ms, line.name, line.call, line.body] for line in lines if line.kind == "event"]


def setup_of(module: str) -> str:
    found = importlib.import_module(f"tests.live.{module}")
    base = importlib.import_module("tests.live.setups")
    return str(getattr(found, "SETUP", base.BASE)).replace("@TRUNK@", TRUNK_PORT)


def write(path: Path, setup: str, lines: list[list[Any]]) -> None:
    head = {"setup": setup, "asterisk": find_asterisk().version}
    text = "\n".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in [head, *lines])
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(text.encode())


if __name__ == "__main__":
    sys.exit(main())
