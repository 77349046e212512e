"""Does the property of `test_outbound_history` bite? Each rule of calling out is broken in a copy, and must be found.

`python -m tests.core.outbound_mutants [--examples N] [NAME…]`: one line a mutant; exit 1 when one survives. The sources
must still hold what is replaced, so that a rule that moved is not silently left untried.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
RUN = "from tests.core import test_outbound_history as t; t.test_no_history_lets_through_what_may_not_pass()"
EXAMPLES = 1_500
DRAWN = 'salt=f"{agent}/{asked.dialled}/{asked.via}/{_calls(world, agent, day)}" if agent else asked.call'
LIMIT_S = 300


class Mutant(NamedTuple):
    """One line of the core, and what it is turned into."""

    name: str
    file: str
    good: str
    bad: str


def _caps() -> tuple[Mutant, ...]:
    """Every cap one too wide, and not there at all."""
    rows = (
        ("channels", "meter", "len(state.live) >= trunk.max_channels"),
        ("cps", "meter", "len(_recent(state, now_ms)) >= trunk.max_cps"),
        ("trunk minutes", "meter", "quota.talked_ms(state.use, now_ms, day) >= minutes * quota.MINUTE_MS"),
        ("calls at once", "quota", "len(use.live) >= limits.calls_at_once"),
        ("calls a minute", "quota", "len(_recent(use, now_ms)) >= limits.calls_per_minute"),
        ("calls a day", "quota", "use.calls >= limits.calls_per_day"),
        ("minutes a day", "quota", "talked_ms(use, now_ms, day) >= limits.minutes_per_day * MINUTE_MS"),
        ("calls to one number", "candidates", "row.calls >= most"),
    )
    exact = [row for row in rows if "minutes" not in row[0]]
    wide = [Mutant(f"{name}: one too many", file, good, good.replace(">=", ">")) for name, file, good in exact]
    return (*wide, *(Mutant(f"{name}: no cap", file, good, "False") for name, file, good in rows))


def _gone() -> tuple[Mutant, ...]:
    """Every `if` that keeps something out, as if it were not there."""
    rows = (
        ("virtual", "candidates", 'hotline.kind == "virtual"'),
        ("outbound = false", "candidates", "not hotline.outbound"),
        ("groups", "candidates", "agent and allowed is not None"),
        ("excluded kinds", "candidates", "notes.kind in trunk.excluded_kinds"),
        (
            "excluded prefixes",
            "candidates",
            "trunk.excluded_prefixes and notes.compared.startswith(trunk.excluded_prefixes)",
        ),
        ("switched off", "meter", "not trunk.enabled"),
        ("unreachable", "meter", "not state.reachable"),
        ("left out", "meter", "left_ms"),
        ("no trial", "meter", "state.probe and state.probe in state.live"),
        ("emergency by caps", "leaving", "attempt.number in turn.setup.defaults.emergency"),
        ("emergency by permission", "spending", "attempt.number in turn.setup.defaults.emergency"),
        ("next: trunk", "meter", "unusable(state, trunk, now_ms, day)"),
        ("next after busy", "outbound", "event.status not in leaving.TRUNK_STATUS"),
        ("a second call", "outbound", "agent.phase is AgentPhase.TALKING or agent.phase in OUT"),
        ("blocked", "trunks", "row"),
        ("reach", "trunks", "reason"),
        ("agent's limits", "trunks", "words"),
    )
    return tuple(Mutant(name, file, f"    if {good}:\n", "    if False:\n") for name, file, good in rows)


def _never() -> tuple[Mutant, ...]:
    """Every part of a condition that keeps something out, as if it never held."""
    rows = (
        ("service number chosen", "candidates", 'not hotline.number.startswith("+")'),
        ("hours", "trunks", "not hours.is_open(schedule, question.now_ms)"),
        ("next: barred", "spending", "candidates.barred(turn.setup, _whose(call), hotline)[0]"),
        ("next: limits", "spending", "quota.room(state.use, hotline.limits, turn.now_ms, day, call.id)"),
    )
    return tuple(Mutant(name, file, good, "False") for name, file, good in rows)


def _counts() -> tuple[Mutant, ...]:
    """Every number that is another one."""
    rows = (
        ("never left out", "meter", "FAILURES_MAX = ", "3", "4"),
        ("a shorter pause", "meter", "COOL_DOWN_MIN_MS = ", "30_000", "20_000"),
        ("starts forgotten", "meter", "CPS_WINDOW_MS = ", "1_000", "900"),
        ("more attempts", "trunks", "ATTEMPTS_MAX = ", "3", "4"),
        ("minute forgotten", "quota", "MINUTE_MS = ", "60_000", "55_000"),
        ("calls not counted", "quota", "calls=", "today.calls + 1", "today.calls"),
        ("talk not counted", "quota", "talked_ms=", "today.talked_ms + talked", "today.talked_ms"),
        ("channel not held", "meter", "live=", "(*others, call)", "others"),
    )
    return tuple(Mutant(name, file, what + good, what + bad) for name, file, what, good, bad in rows)


MUTANTS = (
    *_caps(),
    *_gone(),
    *_never(),
    *_counts(),
    Mutant("adaptive outbound = false", "trunks", "if adaptive.outbound:", "if True:"),
    Mutant(
        "spare of another carrier",
        "candidates",
        "question.setup.trunks_of_carrier.get(own.carrier, ()) if own else ()",
        "question.setup.trunks if own else ()",
    ),
    Mutant("any call ends a trial", "leaving", "state.probe == call.id and (rang", "state.pauses and (True or rang"),
    Mutant("starts not noted", "meter", "starts_ms=(*_recent(state, now_ms), now_ms), probe", "starts_ms=(), probe"),
    Mutant("blocked in another scope", "trunks", '"outbound", question.now_ms)', '"queue", question.now_ms)'),
    Mutant("reach of the agent", "trunks", "agent.reach if agent and agent.reach else", "Reach() if False else"),
    Mutant("emergency kept waiting", "trunks", '("" if emergency else _limited', "(_limited"),
    Mutant("led on by another hotline", "ways", "way.hotline or call.hotline))", "call.hotline))"),
    Mutant("a trunk twice", "trunks", "attempts[trunk.name] =", "attempts[trunk.name + hotline] ="),
    Mutant("next: callee", "spending", "row is None or row.day != day or row.calls < most", "True"),
    Mutant("agent not counted", "spending", "    _begin_agent(turn, call)\n", ""),
    Mutant(
        "callee not counted",
        "spending",
        "CalleeDay(name, day, before + 1, until_ms)",
        "CalleeDay(name, day, before, until_ms)",
    ),
    Mutant("talks that go on", "quota", "sum(max(0, now_ms - at_ms) for _, at_ms in use.talks)", "0"),
    Mutant("explain by its name", "asking", DRAWN, "salt=asked.call"),
    Mutant("explain by the instant", "asking", DRAWN, "salt=str(now_ms)"),
    Mutant("explain without uses", "asking", "        agent_uses=world.agent_uses,\n", ""),
)


def survives(mutant: Mutant, examples: int) -> tuple[bool, str]:
    """Whether the property holds although the rule is broken; and how the run ended."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("controller", "tests", "pyproject.toml"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "corpus", "recordings")
                )
            else:
                shutil.copy(source, copy / name)
        file = copy / f"controller/core/{mutant.file}.py"
        text = file.read_text()
        if mutant.good not in text:
            return True, "the line to break is not there any more"
        file.write_text(text.replace(mutant.good, mutant.bad, 1))
        command = [sys.executable, "-c", RUN]
        environment = {**os.environ, "PYTHONPATH": folder, "HISTORIES": str(examples), "MUTANT": "1"}
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        why = [line.strip(" |") for line in done.stderr.splitlines() if "AssertionError" in line or "Error: " in line]
        return done.returncode == 0, (why[-1][:100] if why else f"exit {done.returncode}")


def main() -> int:
    """Try the mutants that were named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    chosen = [row for row in MUTANTS if not asked.names or any(name in row.name for name in asked.names)]
    left = 0
    for mutant in chosen:
        began = time.monotonic()
        alive, why = survives(mutant, asked.examples)
        left += alive
        print(
            f"{'SURVIVES' if alive else 'found   '} {time.monotonic() - began:5.1f} s  {mutant.name}: {why}", flush=True
        )
    print(f"{len(chosen) - left} of {len(chosen)} found")
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
