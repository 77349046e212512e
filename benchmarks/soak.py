"""A long mixed load on one machine, to see whether anything grows that should not.

    python -m benchmarks.soak [--hours 1.5 | --minutes 10] [--rate 2] [--out var/reliability/soak.json]

Callers come at a steady rate and are answered by twenty agents who talk 2 to 8 seconds; beside it `explain` is asked
which trunk a call would take. Every few seconds both processes are looked at: resident memory, descriptors, threads,
and how long it took from a caller's INVITE to that at an agent's phone (Asterisk waits there for the caller's first
audio packet as well). The first quarter warms up; then the median of the last quarter is held against the second's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.farm import Agents, Callers
from benchmarks.race import CARRIER, HOTLINE, PHONES, Rig, rig
from controller.lab import sip

AGENTS = 20
TALK_S = (2.0, 8.0)
LOOKS = 240
LOOK_MIN_S = 1.0
GROWTH_MAX = {"rss_mb": 1.03, "fds": 1.0, "threads": 1.0, "ring_p99_ms": 1.5}
"""How much the last quarter may be above the second. Descriptors and threads of Asterisk follow the calls of the
moment, so of those `SLACK` more are no growth."""
SLACK = {"rss_mb": 1.0, "fds": 8.0, "threads": 8.0, "ring_p99_ms": 20.0}


@dataclass
class Look:
    """One look at one process."""

    at_s: float
    rss_mb: float
    fds: int
    threads: int
    cpu_s: float


@dataclass
class Seen:
    """Everything that was seen."""

    looks: dict[str, list[Look]] = field(default_factory=lambda: {"daemon": [], "asterisk": []})
    ring_ms: list[list[float]] = field(default_factory=list)
    pick_ms: list[float] = field(default_factory=list)
    odd: float = 0.0


def look(pid: int, began_s: float, cpu_s: float) -> Look:
    """What a process holds now."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    rss_mb = int(status["VmRSS"].split()[0]) / 1024
    fds = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return Look(time.monotonic() - began_s, rss_mb, fds, int(status["Threads"]), cpu_s)


def growth(values: list[float]) -> tuple[float, float]:
    """The medians of the second and of the last quarter."""
    quarter = max(1, len(values) // 4)
    return statistics.median(values[quarter : 2 * quarter]), statistics.median(values[-quarter:])


def p99(values: list[float]) -> float:
    """The 99th percentile; nothing is nothing."""
    return sorted(values)[int(len(values) * 0.99)] if values else float("nan")


async def call_on(crowd: Callers, rate: float, until_s: float) -> None:
    """Calls at a steady rate."""
    begun, start = 0, time.monotonic()
    while (due := start + begun / rate) < until_s:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        crowd.call()
        begun += 1


async def pick_on(made: Rig, seen: Seen, until_s: float) -> None:
    """Ask now and then which trunk a call would take."""
    while time.monotonic() < until_s:
        began_s = time.perf_counter()
        async with made.web.get("/api/v1/outbound/explain", params={"to": "0967123456", "via": HOTLINE}) as reply:
            await reply.read()
        seen.pick_ms.append(1000 * (time.perf_counter() - began_s))
        await asyncio.sleep(0.5)


async def watch(made: Rig, seen: Seen, until_s: float, every_s: float) -> None:
    """Look at both processes every `every_s`."""
    began_s = time.monotonic()
    pids: dict[str, int] = made.lab["pids"]  # type: ignore[assignment]  # lab.json's shape
    while time.monotonic() < until_s:
        for (name, looks), cpu_s in zip(sorted(seen.looks.items()), made.cpu(), strict=True):
            looks.append(look(pids[name], began_s, cpu_s))
        seen.ring_ms.append([])
        await asyncio.sleep(every_s)


async def soak(seconds: float, rate: float, port_base: int) -> dict[str, object]:
    """Run it all and judge."""
    seen = Seen()
    async with rig([AGENTS], port_base) as made:
        await made.sign_in(AGENTS, AGENTS)
        desk = Agents(*PHONES, made.asterisk, TALK_S)
        crowd = Callers(*CARRIER, made.asterisk, HOTLINE, again=False)
        desk.measuring = crowd.measuring = True

        def rung(invite: sip.Message) -> None:
            number = sip.user_of(sip.uri_of(invite.get("From")))[-8:]
            began_s = crowd.begun.pop(number, None)
            if began_s is not None and seen.ring_ms:
                seen.ring_ms[-1].append(1000 * (time.perf_counter() - began_s))

        desk.rung = rung
        until_s = time.monotonic() + seconds
        works = (
            call_on(crowd, rate, until_s),
            pick_on(made, seen, until_s),
            watch(made, seen, until_s, max(LOOK_MIN_S, seconds / LOOKS)),
        )
        await asyncio.gather(*works)
        async with made.web.get("/metrics") as reply:
            text = await reply.text()
        seen.odd = sum(float(row.rpartition(" ")[2]) for row in text.splitlines() if row.startswith("tongdai_odd"))
        await made.cli("core show taskprocessors")
        trimmed = await made.cli("malloc trim")
        after = look(made.lab["pids"]["asterisk"], 0.0, 0.0).rss_mb  # type: ignore[index]  # lab.json's shape
        figures = report(seen, crowd, desk, seconds)
        figures["asterisk_rss_mb_after_malloc_trim"] = round(after, 1) if "rror" not in trimmed else None
        desk.close()
        crowd.close()
    return figures


def report(seen: Seen, crowd: Callers, desk: Agents, seconds: float) -> dict[str, object]:
    """The table and the verdicts."""
    rows: dict[str, dict[str, float | bool]] = {}
    for name, looks in seen.looks.items():
        for what in ("rss_mb", "fds", "threads"):
            rows[f"{name} {what}"] = judged(what, [float(getattr(one, what)) for one in looks])
    latencies = [p99(ms) for ms in seen.ring_ms if ms]
    if latencies:
        rows["caller's INVITE to agent's, p99 ms"] = judged("ring_p99_ms", latencies)
    cpu = {name: looks[-1].cpu_s - looks[0].cpu_s for name, looks in seen.looks.items()}
    calls = max(1, crowd.done)
    return {
        "seconds": round(seconds),
        "calls": crowd.done,
        "failed": crowd.failed,
        "rung_twice": desk.twice,
        "odd_events": seen.odd,
        "ring_p50_ms": round(statistics.median(every), 1)
        if (every := [ms for some in seen.ring_ms for ms in some])
        else None,
        "ring_p99_ms": round(p99(every), 1),
        "daemon_cpu_ms_a_call": round(1000 * cpu["daemon"] / calls, 2),
        "asterisk_cpu_ms_a_call": round(1000 * cpu["asterisk"] / calls, 2),
        "explain_p50_ms": round(statistics.median(seen.pick_ms), 1) if seen.pick_ms else None,
        "explain_p99_ms": round(p99(seen.pick_ms), 1),
        "rows": rows,
        "flat": all(bool(row["flat"]) for row in rows.values()),
    }


def judged(what: str, values: list[float]) -> dict[str, float | bool]:
    """One row: how it began, how it ended, and whether that is flat."""
    second, last = growth(values)
    flat = last <= second * GROWTH_MAX[what] + SLACK[what]
    return {
        "second_quarter": round(second, 1),
        "last_quarter": round(last, 1),
        "most": round(max(values), 1),
        "flat": flat,
    }


def show(figures: dict[str, object]) -> None:
    """Print for a person."""
    for name, value in figures.items():
        if not isinstance(value, dict):
            sys.stdout.write(f"{name:36} {value}\n")
    rows: dict[str, dict[str, object]] = figures["rows"]  # type: ignore[assignment]  # made above
    sys.stdout.write(f"\n{'':28} {'2nd quarter':>12} {'last quarter':>12} {'most':>10}\n")
    for name, row in rows.items():
        word = "flat" if row["flat"] else "GROWS"
        sys.stdout.write(f"{name:28} {row['second_quarter']:>12} {row['last_quarter']:>12} {row['most']:>10}  {word}\n")


def main() -> None:
    """Read the options, run, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=2.0)
    parser.add_argument("--port-base", type=int, default=32060)
    parser.add_argument("--out", type=Path, default=Path("var/reliability/soak.json"))
    options = parser.parse_args()
    seconds = 3600 * options.hours + 60 * options.minutes or 5400.0
    figures = asyncio.run(soak(seconds, options.rate, options.port_base))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=1) + "\n")
    show(figures)


if __name__ == "__main__":
    main()
