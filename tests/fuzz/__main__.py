"""The long form: every program on every core for its share of the time, and one table of what was seen.

`make fuzz MINUTES=10 [ONLY=Z1,Z2] [SEED=7] [BATCH=3]`. The table is printed and written to var/reliability/fuzz.json:
a list of {id, inputs, asked, seen, pass, found}, what other runs left of other programs included. Exit 1 when a program
found something; the line that repeats it is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from controller import log
from tests.fuzz.program import dice_for
from tests.fuzz.table import GUIDED, PROGRAMS, made

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "var/reliability/fuzz.json"
FOUND = ROOT / "var/fuzz"
CORES = os.cpu_count() or 1
END_S = 60
"""What a worker may take beyond its share: one batch, and its end."""
Row = dict[str, Any]


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--minutes", type=float, default=7.0, help="for all programs together")
    parser.add_argument("--only", default="", help="some of them, such as Z1,Z7")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--batch", type=int, help="this batch alone, to repeat what broke")
    parser.add_argument("--worker", type=float, metavar="SECONDS", help=argparse.SUPPRESS)
    given = parser.parse_args()
    names = [name for name in given.only.upper().split(",") if name] or list(PROGRAMS)
    if unknown := set(names) - set(PROGRAMS):
        parser.error(f"there is no program {', '.join(sorted(unknown))}")
    log.configure("critical", "console", io.StringIO())
    if given.batch is not None:
        return repeat(names[0], given.seed, given.batch)
    if given.worker is not None:
        print(json.dumps(work(names[0], given.seed, given.worker)))
        return 0
    return run(names, given.minutes * 60, given.seed)


def repeat(name: str, seed: int, batch: int) -> int:
    """Run one batch again, with the whole traceback."""
    program = made(name)
    try:
        print(f"{name}: {program.batch(dice_for(name, seed, batch))} inputs, nothing found")
    finally:
        program.close()
    return 0


def work(name: str, seed: int, seconds: float) -> Row:
    """One worker: batch after batch until the time is over or something is found."""
    program, inputs, batch, found = made(name), 0, 0, ""
    until_s = time.monotonic() + seconds
    try:
        while time.monotonic() < until_s and not found:
            try:
                inputs += program.batch(dice_for(name, seed, batch))
            except Exception:  # noqa: BLE001 - whatever it is, it is a finding
                found = f"make fuzz ONLY={name} SEED={seed} BATCH={batch}\n{traceback.format_exc()}"
            batch += 1
    finally:
        program.close()
    return {"inputs": inputs, "found": found, "seen": program.seen(), "asked": program.ASKED}


def run(names: list[str], seconds: float, seed: int) -> int:
    """Every program in turn, on all cores at once; coverage leads one core of those that have a target for it."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    passed = True
    for name in names:
        row = asyncio.run(one(name, seconds / len(names), seed))
        passed = passed and row["pass"]
        told = json.dumps(row["seen"], ensure_ascii=False)
        print(f"{name} {'pass' if row['pass'] else 'FAIL'} {row['inputs']:>10,} inputs  {told}", flush=True)
        for found in row["found"]:
            print(found, flush=True)
        before = json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else []
        REPORT.write_text(json.dumps(kept(before, row), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {REPORT.relative_to(ROOT)}")
    return 0 if passed else 1


def kept(before: list[Row], row: Row) -> list[Row]:
    """The report with this row in place of an older one of its program; of what broke, the line that repeats it."""
    fresh = row | {"found": [found.partition("\n")[0] for found in row["found"]]}
    return sorted([*(old for old in before if old["id"] != row["id"]), fresh], key=lambda one: str(one["id"]))


async def one(name: str, seconds: float, seed: int) -> Row:
    """Run one program on every core and put together what was seen."""
    plain = CORES - 1 if name in GUIDED and CORES > 1 else CORES
    tasks = [worker(name, seconds, seed + n) for n in range(plain)]
    if plain < CORES:
        tasks.append(guided(name, seconds, seed))
    done = await asyncio.gather(*tasks)
    asked = next((row["asked"] for row in done if row["asked"]), "it runs")
    found = [row["found"] for row in done if row["found"]]
    passed = not found and all(row["seen"].get("pass", True) for row in done)
    inputs = sum(row["inputs"] for row in done)
    seen = together([row["seen"] for row in done])
    return {"id": name, "inputs": inputs, "asked": asked, "seen": seen, "pass": passed, "found": found}


async def worker(name: str, seconds: float, seed: int) -> Row:
    """A process of its own: what one program keeps in memory is no other's figure."""
    command = ["-m", "tests.fuzz", "--only", name, "--seed", str(seed), "--worker", str(seconds)]
    code, out = await spoken(command, seconds)
    lines = out.strip().splitlines()
    if code or not lines:
        return {"inputs": 0, "found": f"{name}: the worker ended with {code}\n{out[-4000:]}", "seen": {}, "asked": ""}
    row: Row = json.loads(lines[-1])
    return row


async def guided(name: str, seconds: float, seed: int) -> Row:
    """The same parser, led by coverage."""
    folder = FOUND / name.lower()
    (folder / "seen").mkdir(parents=True, exist_ok=True)
    code, out = await spoken(["-m", "tests.fuzz.guided", name, str(int(seconds)), str(seed), str(folder)], seconds)
    runs = re.search(r"number_of_executed_units: (\d+)", out)
    cover = re.findall(r"cov: (\d+)", out)
    seen = {"led_by_coverage": int(runs[1]) if runs else 0, "places_reached": int(cover[-1]) if cover else 0}
    found = "" if code == 0 and runs else f"{name} led by coverage ended with {code}, see {folder}\n{out[-4000:]}"
    return {"inputs": seen["led_by_coverage"], "found": found, "seen": seen, "asked": ""}


async def spoken(command: list[str], seconds: float) -> tuple[int, str]:
    """Run Python with these arguments; its exit code and everything it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(seconds + END_S):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        out, _ = await process.communicate()
        return -1, out.decode(errors="replace") + "\nnever came to its end"
    return process.returncode or 0, out.decode(errors="replace")


def together(parts: list[Row]) -> Row:
    """Counts are added up; of times and memory the worst is told."""
    whole: Row = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, dict):
                whole[key] = together([whole.get(key, {}), value])
            elif key == "list" or key.endswith(("_ms", "_mb", "_s")):
                whole[key] = max(whole.get(key, 0), value)
            elif key != "pass":
                whole[key] = whole.get(key, 0) + value
    return whole


if __name__ == "__main__":
    sys.exit(main())
