"""`make sim`: one seed told line by line, or many with progress; `var/reliability/sim.json` keeps what came of it.

make sim SEED=8412771 TO=1834.2     one seed, its story up to that simulated second
make sim SEEDS=20000                so many seeds on all cores (FIRST=n begins elsewhere, SECONDS=n changes the length)
make sim FAULT=F3 SEEDS=1000        one fault of the programme instead of a whole day
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.sim.run import PROGRAMMES, SECONDS, Result, simulate

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "var/reliability/sim.json"
CHUNK = 8
TELL_EVERY_S = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one and print its story")
    parser.add_argument("--to", type=float, default=float("inf"), help="print up to this simulated second")
    parser.add_argument("--fault", default="day", choices=sorted(PROGRAMMES), help="the programme")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="simulated seconds with faults, per seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    return one(given) if given.seed is not None else many(given)


def one(given: argparse.Namespace) -> int:
    """Print the story of one seed."""

    def tell(line: str) -> None:
        if float(line.split(maxsplit=1)[0]) <= given.to:
            print(line)

    result = simulate(given.seed, given.seconds, given.fault, on_line=tell)
    print(f"seed {given.seed}: {result.steps} steps, {result.hours * 3600:.0f} simulated seconds")
    print("\n".join(result.breaches) or "nothing broke")
    return 1 if result.breaches else 0


def many(given: argparse.Namespace) -> int:
    """Run a range of seeds on every core; 1 when one of them broke something."""
    seeds = range(given.first, given.first + given.seeds)
    began, told = time.monotonic(), time.monotonic()
    done = hours = steps = calls = starts = 0.0
    broken: list[Result] = []
    for result in results(list(seeds), given.seconds, given.fault, given.jobs):
        done, hours, steps = done + 1, hours + result.hours, steps + result.steps
        calls, starts = calls + result.calls, starts + result.starts
        if result.breaches:
            broken.append(result)
            print(f"{result.line}\n    {result.breaches[0][:400]}", flush=True)
        if time.monotonic() - told > TELL_EVERY_S:
            told = time.monotonic()
            print(f"{done:.0f} of {len(seeds)} seeds, {hours:.1f} h, {len(broken)} broke", flush=True)
    spent_s = time.monotonic() - began
    say(given, hours, steps, calls, starts, broken, spent_s)
    print(f"{done:.0f} seeds, {hours:.1f} simulated h, {steps:.0f} steps, {calls:.0f} callers, {len(broken)} broke")
    return 1 if broken else 0


def results(seeds: list[int], seconds: float, programme: str, jobs: int) -> Iterator[Result]:
    """In whatever order they are done."""
    work = [(seed, seconds, programme) for seed in seeds]
    if jobs <= 1:
        yield from map(_one, work)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(_one, work, CHUNK)


def _one(work: tuple[int, float, str]) -> Result:
    try:
        return simulate(*work)
    except Exception as error:  # noqa: BLE001 - a run that cannot end is a breach like another
        return Result(work[0], work[2], breaches=[f"0.000 s: S0 the run broke: {error!r}"])


def say(
    given: argparse.Namespace,
    hours: float,
    steps: float,
    calls: float,
    starts: float,
    broken: list[Result],
    spent_s: float,
) -> None:
    """One row for docs/reliability: what ran, on what, and what broke."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    row = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": head.stdout.strip(),
        "programme": given.fault,
        "first_seed": given.first,
        "seeds": given.seeds,
        "simulated_hours": round(hours, 2),
        "steps": int(steps),
        "callers": int(calls),
        "controller_starts": int(starts),
        "breaches": len(broken),
        "failed": [{"seed": result.seed, "again": result.line, "why": result.breaches[0][:300]} for result in broken],
        "wall_s": round(spent_s, 1),
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {"runs": []}
    before["runs"] = [*before["runs"][-99:], row]
    RESULT.write_text(json.dumps(before, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
