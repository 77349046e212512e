"""Make the recordings anew: run live tests, keep what the daemon was told by the real Asterisk and by people.

    .venv/bin/python -m tests.recordings.renew [NAME...]

One file a module of tests/live or tests/faults, or a part of one, gzipped: first an object with every setup that was in
force, in order, and what the daemon said of each call; then every event with its time. A file is renewed when events
changed their shape or a newer Asterisk tells a story differently, never to make a red test green.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from controller import journal
from controller.lab.get_asterisk import find_asterisk
from controller.ports import Line

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SETUPS = "setups.json"
KEPT = {
    "inbound": ("live/test_inbound", ""),
    "menus": ("live/test_menus", ""),
    "strategies": ("live/test_strategies", ""),
    "outbound": ("live/test_outbound", "not consult and not asks"),
    "consulting": ("live/test_outbound", "consult or asks"),
    "holding": ("live/test_odd_phones", "16 or 05"),
    "resting": ("live/test_agents", "rest"),
    "limits": ("live/test_limits", "options or returned or rush"),
    "recovery": ("live/test_recovery", "not restart_of_asterisk and not moment_of_death"),
    "asterisk": ("live/test_recovery", "restart_of_asterisk"),
    "setups": ("live/test_setup_live", ""),
    "cut": ("faults/test_cut_calls", ""),
    "stepped": ("faults/test_clock", "stepped"),
}
"""Name: module, and which of its tests. Not those that kill in the middle of a turn: it stands in the journal, and was
forgotten by the books."""


def main() -> int:
    for name in sys.argv[1:] or KEPT:
        module, chosen = KEPT[name]
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TONGDAI_RECORDING": folder}
            tests = ["-m", "live or faults", "-k", chosen, f"tests/{module}.py"]
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", *tests], cwd=ROOT, env=environment, check=False
            )
            if done.returncode:
                print(f"{name} failed: its recording stays as it was")
                continue
            setups = json.loads((Path(folder) / SETUPS).read_text(encoding="utf-8"))
            lines = [line for path in sorted(Path(folder).glob("*.jsonl")) for line in journal.read(path)]
        events = [[line.at_ms, line.name, line.call, line.body] for line in lines if line.kind == "event"]
        write(HERE / f"{name}.jsonl.gz", setups, said(lines), events)
        print(f"{name}: {len(events)} events")
    return 0


def said(lines: list[Line]) -> dict[str, list[list[str]]]:
    """The facts of each call in their order, that of its end with how it ended."""
    told: dict[str, list[list[str]]] = {}
    for line in lines:
        if line.kind == "fact" and line.call:
            how = [str(line.body["result"]), str(line.body["end_cause"])] if line.name == "CallEnded" else []
            told.setdefault(line.call, []).append([line.name, *how])
    return told


def keep(lab: Path, folder: Path) -> None:
    """Put the journal of a lab into `folder`, and the text of every setup it has had in force."""
    shutil.copytree(lab / "journal", folder, dirs_exist_ok=True)
    with closing(sqlite3.connect(lab / "tongdai.db")) as books:
        texts = [text for (text,) in books.execute("SELECT text FROM setup_version ORDER BY version")]
    (folder / SETUPS).write_text(json.dumps(texts), encoding="utf-8")


def write(path: Path, setups: list[str], told: dict[str, list[list[str]]], events: list[list[Any]]) -> None:
    head = {"setups": setups, "asterisk": find_asterisk().version, "said": told}
    text = "\n".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in [head, *events])
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(text.encode())


if __name__ == "__main__":
    sys.exit(main())
