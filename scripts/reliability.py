#!/usr/bin/env python3
"""Writes docs/reliability.md from what was measured: `make reliability`. Standard library only.

What the simulator, the faults, the fuzzers and the soak saw lies in `var/reliability/*.json`. A file holding a list of
rows (`id what asked times`, then either `median p99 worst unit` or `seen`, and `passed promise note commit most`) feeds
the table of faults and, by `promise`, the table of promises; `sim.json`, `fuzz.json` and `soak.json` have tables of
their own. What is missing is said to be missing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

Row = Mapping[str, Any]

ROOT: Final = Path(__file__).resolve().parents[1]
NOT_RUN: Final = "not run"

PROMISES: Final = (
    ("talkers", "Calls being talked survive any death of the controller", "100 %"),
    ("waiting", "Waiting callers keep place and time waited through a restart", "100 %, order exact, time ± 1 s"),
    ("back", "Back in service after `kill -9`: process start to link live and reconciled, 200 channels", "≤ 3 s p99"),
    ("gap", "The whole gap with a supervisor", "≤ 5 s"),
    ("fallback", "Calls arriving in the gap get the dialplan's fallback", "100 %, 0 silent, 0 dropped"),
    ("pbx_back", "Back in service after Asterisk restarts", "≤ 2 s after its HTTP answers"),
    ("ring", "Free agent to ring command", "≤ 50 ms p50, ≤ 150 ms p99"),
    ("one_offer", "At most one offer a caller (by the rule), at most one call an agent", "0 breaches"),
    ("wrap_up", "Wrap-up ends when it should", "± 250 ms running, ± 1 s across a restart"),
    ("alert", "Answer-time alert once per call and threshold", "≤ 1 s late, cleared ≤ 1 s after"),
    ("pick", "Outbound pick answered", "≤ 50 ms p99, hard limit 300 ms"),
    ("emergency", "Emergency numbers go out with controller, database and AGI dead", "100 %"),
    ("history", "Every ended call exactly one record", "0 lost, 0 double"),
    ("outside", "Nothing from outside raises in the engine", "0 unhandled exceptions"),
)

FAULTS: Final = (
    ("F1", "`kill -9` of an idle controller"),
    ("F2", "`kill -9` under 20 talking, 10 waiting, 5 ringing, 5 in wrap-up"),
    ("F3", "`kill -9` at each joint of the engine"),
    ("F4", "SIGTERM under load"),
    ("F5", "Asterisk restarted"),
    ("F6", "event stream cut: RST, FIN, close, half-open"),
    ("F7", "flapping event stream"),
    ("F8", "slow engine, frozen process under 2,000 events/s"),
    ("F9", "ARI answers 500, 503, after 5 s, never"),
    ("F10", "a second controller on the application"),
    ("F11", "database locked"),
    ("F12", "database full"),
    ("F13", "database slow"),
    ("F14", "database gone at start"),
    ("F15", "torn or foreign row"),
    ("F16", "clock steps"),
    ("F17", "process frozen"),
    ("F18", "agent does not answer"),
    ("F19", "agent answers in the instant the ring time ends"),
    ("F20", "caller hangs up while the agent answers"),
    ("F21", "phone unreachable"),
    ("F22", "phones vanish one by one and return"),
    ("F23", "events duplicated"),
    ("F24", "events swapped or late"),
    ("F25", "events dropped"),
    ("F26", "start in the middle of a recording"),
    ("F27", "setup changed under load"),
    ("F28", "two administrators save at once"),
    ("F29", "AGI peers that are silent, slow, huge or many"),
    ("F30", "alert receiver down"),
    ("F31", "200 viewers, 20 of whom never read"),
    ("F32", "no space for logs"),
    ("F33", "rows of the version before"),
    ("F34", "everything at once"),
)

RING_MS_MAX: Final = 150
SIMULATED_ASKED: Final = "S always, L ≤ 60 s after faults stop"

HEAD: Final = """Made by `make reliability` from the figures of `make faults`, `make sim`, `make fuzz` and `make soak`;
how the faults are made stands in [faults.md](faults.md). Two cores carried everything."""

LIMITS: Final = """## What this does not claim

* The simulator proves the controller against a model of Asterisk that passes the same facts as the real one; it does
  not prove Asterisk.
* Calls do not survive the death of Asterisk itself, nor of the machine.
* Asterisk names a call by the second and a number that begins anew at each start: when it starts twice within one
  second and both had as many calls, the later of two calls with one name is declined as an echo of the earlier.
* Commands are carried out at least once and are safe to repeat; a prompt may play twice.
* Everything was measured on loopback, tests, phones, Asterisk and controller on the same two cores; carriers' networks
  have times of their own.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read every figure, write the page; 0, or 1 when `--check` finds a figure that failed."""
    parser = argparse.ArgumentParser(description="Write docs/reliability.md from var/reliability.")
    parser.add_argument("--figures", type=Path, default=ROOT / "var/reliability")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/reliability.md")
    parser.add_argument("--check", action="store_true", help="exit 1 when a figure did not reach what was asked")
    chosen = parser.parse_args(arguments)
    found = read(chosen.figures)
    rows = [row for name, value in sorted(found.items()) for row in rows_of(name, value)]
    rows += [*simulated(found.get("sim")), *fuzzed(found.get("fuzz")), *soaked(found.get("soak"))]
    chosen.out.write_text(page(found, rows), encoding="utf-8")
    failed = [row for row in rows if row.get("passed") is False]
    print(f"{chosen.out}: {len(rows)} figures, {len(failed)} short of what was asked")
    for row in failed:
        print(f"  {row['id']} {row.get('what', '')}: asked {row.get('asked', '')}, seen {seen(row)}")
    return 1 if failed and chosen.check else 0


def read(folder: Path) -> dict[str, Any]:
    """Every file of figures by its name; one that cannot be read is named and left out."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            print(f"{path}: left out: {error}", file=sys.stderr)
    return found


def rows_of(name: str, value: Any) -> list[Row]:
    """The rows of figures in a file: the file itself, or its `figures`."""
    if isinstance(value, dict):
        value = value.get("figures", [])
    rows = value if isinstance(value, list) else []
    return [row for row in rows if isinstance(row, dict) and ("id" in row or "promise" in row) and name not in OWN]


def page(found: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The whole page."""
    parts = [
        "# What was promised and what was seen",
        HEAD,
        "## Promises",
        table(("promise", "asked", "seen"), [(text, asked, _promise(key, rows)) for key, text, asked in PROMISES]),
        "## Faults",
        table(("fault", "figure", "times", "asked", "seen", ""), list(_faults(rows))) + taken(rows),
        *(f"## {title}\n\n{own(told(name, found.get(name)))}" for name, title in OWN.items()),
        LIMITS.rstrip(),
    ]
    return "\n\n".join(parts) + "\n"


def simulated(value: Any) -> list[Row]:
    """One row for each fault the simulator ran by itself, all its seeds together."""
    runs = value.get("runs", []) if isinstance(value, dict) else []
    rows = []
    for fault, _ in FAULTS:
        mine = [run for run in runs if run.get("programme") == fault]
        seeds, broken = (sum(int(run.get(key, 0)) for run in mine) for key in ("seeds", "breaches"))
        if seeds:
            seen = f"{seeds - broken} of {seeds} seeds"
            row = {"id": fault, "what": "seeds, simulated", "asked": SIMULATED_ASKED, "seen": seen}
            rows.append(row | {"times": seeds, "passed": not broken})
    runs = [run for run in runs if run.get("programme") == "day"]
    seeds, broken = (sum(int(run.get(key, 0)) for run in runs) for key in ("seeds", "breaches"))
    if seeds:
        seen = f"{seeds - broken} of {seeds} seeds"
        for promise, what in (
            ("one_offer", "days without a breach of S1 and S2"),
            ("history", "days with one record a call"),
        ):
            rows.append(
                {"id": "sim", "promise": promise, "what": what, "seen": seen, "times": seeds, "passed": not broken}
            )
    return rows


def fuzzed(value: Any) -> list[Row]:
    """What hostile input showed, for the promise that nothing from outside raises."""
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    return [
        {
            "id": row.get("id", ""),
            "promise": "outside",
            "fuzzed": True,
            "what": "hostile inputs",
            "asked": row.get("asked", ""),
            "seen": f"{row.get('inputs', 0):,}, {'all' if row.get('pass') else 'not all'} as asked",
            "times": row.get("inputs", 0),
            "passed": row.get("pass"),
        }
        for row in rows
    ]


def soaked(value: Any) -> list[Row]:
    """What a long load showed of the promises."""
    if not isinstance(value, dict) or "ring_p99_ms" not in value:
        return []
    calls, failed, twice = (int(value.get(key, 0)) for key in ("calls", "failed", "rung_twice"))
    ring = f"p50 {value['ring_p50_ms']} ms, p99 {value['ring_p99_ms']} ms"
    rows = (
        ("ring", "caller's INVITE to agent's INVITE", "≤ 150 ms p99", ring, value["ring_p99_ms"] <= RING_MS_MAX),
        ("one_offer", "phones rung twice", "0", f"{twice} in {calls} calls", twice == 0),
        ("history", "calls that failed", "0", f"{failed} of {calls}", failed == 0),
    )
    names = ("promise", "what", "asked", "seen", "passed")
    return [{"id": "soak", "times": calls} | dict(zip(names, row, strict=True)) for row in rows]


OWN: Final = {"sim": "Seeds run by the simulator", "fuzz": "Fuzzing", "soak": "Soak"}


def _promise(key: str, rows: Sequence[Row]) -> str:
    mine = [row for row in rows if row.get("promise") == key]
    return "; ".join(f"{row.get('what', '')}: {seen(row)} ({row.get('id', '')})" for row in mine) or NOT_RUN


def _faults(rows: Sequence[Row]) -> Iterable[Sequence[str]]:
    known = {key for key, _ in FAULTS}
    rows = [row for row in rows if row.get("id") not in OWN and not row.get("fuzzed")]
    others = sorted({str(row.get("id", "")) for row in rows} - known - {""}, key=_natural)
    for key, text in (*FAULTS, *((key, "") for key in others)):
        mine = [row for row in rows if row.get("id") == key]
        if not mine:
            yield f"{key} {text}", "", "", "", NOT_RUN, ""
        for n, row in enumerate(mine):
            name = f"{key} {text}" if n == 0 else key
            yield name, row.get("what", ""), str(row.get("times", "")), row.get("asked", ""), seen(row), verdict(row)


def _natural(key: str) -> tuple[str, int]:
    number = re.search(r"\d+", key)
    return re.sub(r"\d.*", "", key), int(number[0]) if number else 0


def seen(row: Row) -> str:
    """What was seen: words, or median, p99 and worst."""
    if "seen" in row:
        return str(row["seen"])
    unit = str(row.get("unit", ""))
    parts = [f"{name} {number(row[name], unit)}" for name in ("median", "p99", "worst") if name in row]
    if row.get("times") == 1 and parts:
        parts = [number(row["worst"], unit)] if "worst" in row else parts[:1]
    note = f" ({row['note']})" if row.get("note") else ""
    return (", ".join(parts) or NOT_RUN) + note


def number(value: float, unit: str) -> str:
    """A figure with its unit, short."""
    if unit == "s" and abs(value) < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} {unit}".strip() if isinstance(value, float) else f"{value} {unit}".strip()


def verdict(row: Row) -> str:
    """Whether the figure reached what was asked."""
    passed = row.get("passed")
    few = f", {row['most']} tries at most" if row.get("most") else ""
    return "" if passed is None else ("reached" if passed else "**not reached**") + few


def taken(rows: Sequence[Row]) -> str:
    """Of which commits the figures of the faults are, the most frequent first: those of another may be out of date."""
    commits = Counter(str(row["commit"]) for row in rows if row.get("commit"))
    named = ", ".join(f"`{commit}` ({count})" for commit, count in commits.most_common())
    return f"\n\nTaken at commit (figures): {named}." if named else ""


def told(name: str, value: Any) -> Any:
    """A file as its table shows it: what the fuzzers saw and found, and what grew in the soak, in words of one cell."""
    if name == "soak" and isinstance(value, dict) and isinstance(value.get("rows"), dict):
        grown = [
            f"{key}: {row.get('second_quarter')} in the second quarter, {row.get('last_quarter')} in the last"
            for key, row in value["rows"].items()
            if not row.get("flat")
        ]
        return value | {"grown": "; ".join(grown) or "nothing"}
    if name != "fuzz" or not isinstance(value, list):
        return value
    rows = []
    for row in value:
        seen = row.get("seen") if isinstance(row.get("seen"), dict) else {}
        words = ", ".join(f"{key} {cell}" for key, cell in seen.items() if not isinstance(cell, dict | list))
        rows.append(row | {"seen": words, "found": "; ".join(row.get("found", []))})
    return rows


def own(value: Any) -> str:
    """A table of a file with a shape of its own: one row for each run, its keys as columns."""
    runs = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    if runs and isinstance(value, dict) and isinstance(value.get("runs"), list):
        runs = value["runs"]
    flat = [{key: cell for key, cell in run.items() if not isinstance(cell, dict | list)} for run in runs]
    columns = list(dict.fromkeys(key for run in flat for key in run))
    if not columns:
        return NOT_RUN.capitalize() + "."
    return table(columns, [[str(run.get(column, "")) for column in columns] for run in flat])


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar inside a cell is escaped."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
