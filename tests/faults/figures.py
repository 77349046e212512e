"""How often a fault is tried, and what was seen of it.

In `make test` each fault is tried a few times and nothing is kept. `make faults` sets `FAULTS_N`: 0 for as many times
as the programme asks, another number for at most so many; what is seen then goes to `var/reliability/faults.json`,
from which `make reliability` writes docs/reliability.md.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import statistics
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "var/reliability"
FAULTS_N = os.environ.get("FAULTS_N", "")
ON_POSTGRESQL = os.environ.get("FAULTS_ON") == "postgresql"
"""Whether the books of the lab lie on PostgreSQL (`make faults ON=postgresql`): the figures say so."""


def runs(short: int, asked: int) -> int:
    """How many times a fault is tried in this run."""
    if not FAULTS_N:
        return short
    return asked if int(FAULTS_N) == 0 else max(1, min(asked, int(FAULTS_N)))


def cases(*short: Any, long: tuple[Any, ...] = ()) -> list[Any]:
    """Cases of a test: the short ones in `make test`, the long ones only in `make faults`."""
    first = [pytest.param(case, marks=pytest.mark.live) for case in short]
    return first + [pytest.param(case, marks=pytest.mark.faults) for case in long]


def p99(values: Sequence[float]) -> float:
    """The value 99 of 100 do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * 0.99) - 1)]


def record(
    fault: str,
    what: str,
    asked: str,
    seen: Sequence[float] | str,
    *,
    unit: str = "s",
    times: int = 0,
    passed: bool | None = None,
    limit: float | None = None,
    promise: str = "",
    note: str = "",
) -> None:
    """Keep what was seen: figures of which the p99 should stay within `limit`, or words with `passed` said outright.

    `promise` names the line of the promises (scripts/reliability.py) that this shows. A row says of which commit it is,
    and of how many tries it is at most when not as many were made as the programme asks for.
    """
    what += ", on PostgreSQL" if ON_POSTGRESQL else ""
    row: dict[str, Any] = {"id": fault, "what": what, "asked": asked, "unit": unit, "promise": promise, "note": note}
    if isinstance(seen, str):
        row |= {"seen": seen, "times": times, "passed": passed}
    else:
        row |= {"times": times or len(seen), "median": statistics.median(seen), "p99": p99(seen), "worst": max(seen)}
        row["note"] = ", ".join(filter(None, (note, _busy())))
        row["passed"] = row["p99"] <= limit if passed is None and limit is not None else passed
    print(f"{fault} {what}: {json.dumps(row, ensure_ascii=False)}")
    if FAULTS_N:
        _keep(row | {"commit": _commit(), "most": int(FAULTS_N)})


@cache
def _commit() -> str:
    """Which state of the project this is; nothing where nobody can tell."""
    asked = ("git", "-C", str(FOLDER.parents[1]), "rev-parse", "--short", "HEAD")
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _busy() -> str:
    """A word about a machine that does more than it can: a figure seen there says more about it than about us."""
    load = os.getloadavg()[0]
    return f"load {load:.0f}" if load > 2 * (os.cpu_count() or 1) else ""


def _keep(row: dict[str, Any]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "faults.json"
    with (FOLDER / "faults.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = json.loads(path.read_text()) if path.exists() else []
        kept = [old for old in kept if (old["id"], old["what"]) != (row["id"], row["what"])]
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps([*kept, row], ensure_ascii=False, indent=1) + "\n")
        fresh.replace(path)
