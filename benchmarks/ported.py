"""Ported numbers by the million: importing them, looking one up, and starting with them.

    python -m benchmarks.ported [--rows 10000000] [--url postgresql+asyncpg://…]

Each import runs in a process of its own, as `tongdai apply --ported` does, so that its peak of memory is its own. A
file holds distinct mobile numbers in no order, as an operator's list does. A start is timed from opening the books to
the first answered look-up, and to the last block in memory. Look-ups are told in CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.cli_progress import Shown
from controller.core.setup import Setup
from controller.store.db import Database, migrate
from controller.store.numbers import Numbers

SIZES = (10_000, 1_000_000, 10_000_000)
CARRIERS = ("viettel", "vinaphone", "mobifone", "vietnamobile")
STARTS = ("3", "5", "7", "8", "9")
LOOK_UPS = 100_000
STRIDE = 7_368_787
"""Prime to the numbers there are, so that stepping by it meets each once, in no order anybody would sort them in."""
SPACE = 100_000_000


def number(n: int) -> str:
    """The n-th of half a thousand million mobile numbers, as dialled at home."""
    return f"0{STARTS[n % len(STARTS)]}{n // len(STARTS) * STRIDE % SPACE:08d}"


def write_list(path: Path, rows: int) -> None:
    """Write a list of so many numbers."""
    with path.open("w") as file:
        file.write("number,carrier\n")
        for begin in range(0, rows, 100_000):
            many = range(begin, min(begin + 100_000, rows))
            file.write("".join(f"{number(n)},{CARRIERS[n % len(CARRIERS)]}\n" for n in many))


@dataclass(frozen=True, slots=True)
class Figures:
    """What one size costs."""

    rows: int
    import_s: float
    import_cpu_s: float
    import_peak_mb: float
    index_ms: float
    first_ms: float
    whole_ms: float
    bytes_a_row: float
    look_up_us: float
    find_us: float

    def __str__(self) -> str:
        wall, cpu = self.rows / self.import_s, self.rows / self.import_cpu_s
        return (
            f"{self.rows:>11,} rows: import {wall:,.0f}/s ({cpu:,.0f} a CPU s), peak {self.import_peak_mb:.0f} MB; "
            f"start: index {self.index_ms:.0f} ms, first look-up {self.first_ms:.1f} ms, whole {self.whole_ms:.0f} ms; "
            f"{self.bytes_a_row:.2f} B/row; look-up {self.look_up_us:.2f} CPU us (table alone {self.find_us:.2f} us)"
        )


async def bring_in(url: str, path: Path) -> None:
    """Import one list, and say how long that took and what it needed."""
    database = Database(url)
    began, cpu = time.perf_counter(), time.process_time()
    await Numbers(database).import_ported(path, time.time_ns() // 1_000_000, progress=Shown())
    took = time.perf_counter() - began
    await database.close()
    sys.stdout.write(
        f"{took} {time.process_time() - cpu} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}\n"
    )


async def start(url: str, rows: int, took: tuple[float, float, float]) -> Figures:
    """Open the books as a daemon does, and look numbers up."""
    database = Database(url)
    numbers = Numbers(database)
    began = time.perf_counter()
    await numbers.completed(Setup())
    index_s = time.perf_counter() - began
    one = time.perf_counter()
    assert await numbers.look_up(number(rows // 2)) == (CARRIERS[rows // 2 % 4], "ported")  # noqa: S101 - a wrong table has no speed
    first_s = time.perf_counter() - one
    await numbers.fill()
    whole_s = time.perf_counter() - began
    dice = random.Random(1)  # noqa: S311 - which numbers are asked for
    asked = [number(dice.randrange(2 * rows)) for _ in range(LOOK_UPS)]
    one = time.process_time()
    for each in asked:
        await numbers.look_up(each)
    look_up_s = time.process_time() - one
    find, e164 = numbers._table.find, [f"+84{each[1:]}" for each in asked]  # noqa: SLF001 - the table without its door
    one = time.process_time()
    for each in e164:
        find(each)
    find_s = time.process_time() - one
    size = numbers.held.size_bytes
    await database.close()
    micro = 1e6 / LOOK_UPS
    return Figures(
        rows, *took, index_s * 1e3, first_s * 1e3, whole_s * 1e3, size / rows, look_up_s * micro, find_s * micro
    )


def bench(rows: int, url: str, folder: Path) -> Figures:
    """Measure one size on a database of its own, or on the one that was named."""
    url = url or f"sqlite+aiosqlite:///{folder / f'{rows}.db'}"
    asyncio.run(migrate(url))
    path = folder / f"{rows}.csv"
    write_list(path, rows)
    command = [sys.executable, "-m", "benchmarks.ported", "--bring-in", str(path), "--url", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ourselves
    took, cpu, peak = map(float, said.split())
    path.unlink()
    return asyncio.run(start(url, rows, (took, cpu, peak)))


def main(argv: list[str] | None = None, show: Callable[[str], None] = print) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", type=int, action="append", help="a size to measure; else 10 thousand, 1 and 10 million"
    )
    parser.add_argument("--url", default="", help="an empty database instead of SQLite files")
    parser.add_argument("--bring-in", type=Path)
    options = parser.parse_args(argv)
    if options.bring_in is not None:
        asyncio.run(bring_in(options.url, options.bring_in))
        return
    with tempfile.TemporaryDirectory() as folder:
        for rows in options.rows or SIZES:
            show(str(bench(rows, options.url, Path(folder))))


if __name__ == "__main__":
    main()
