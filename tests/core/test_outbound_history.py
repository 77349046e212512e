"""No setup and no history of calls lets through what may not pass, and what is asked beforehand is what is done.

Small dense setups, each with a few rules drawn tight and the rest loose, so that calls do leave and every rule is met
again and again; days of agents who dial or click, who send callers on to phones or ask a phone first, of callers a
queue without agents leads to a phone, callees who answer or do not, trunks that fail, setups that change between the
attempts of a call, an Asterisk that cannot be heard, a daemon that is killed. What is let out is judged by
`outbound_oracle`, which reads nothing of the world but, after each move, what it has written down as up and as talked.
`HYPOTHESIS_PROFILE=deep` tries 10,000 of them; `python -m tests.core.outbound_mutants` breaks each rule in turn
and wants it found.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from controller.core.setup import Setup
from tests.core.outbound_moves import MOVES, History
from tests.core.outbound_setups import setups

pytestmark = pytest.mark.pure

FIXED = 160
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "fixed")
HISTORIES = int(os.environ.get("HISTORIES", "0"))
EXAMPLES = HISTORIES or (10_000 if PROFILE == "deep" else FIXED)
THE_SAME = bool(os.environ.get("MUTANT")) or not (HISTORIES or PROFILE in {"search", "deep"})
MET: Counter[str] = Counter()
"""How often each way was gone and each rule was met; `histories` were tried, `found` is the one a mistake was in."""
EVERY_WAY = ("led on", "sent on", "asked", "handed over", "called off", "left to the phone", "gone while asking", "cut")
PHASES = (
    (Phase.explicit, Phase.generate) if os.environ.get("MUTANT") else (Phase.explicit, Phase.generate, Phase.shrink)
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=PHASES,
    report_multiple_bugs=False,
    derandomize=THE_SAME,
)
@given(setups(), st.binary(min_size=40, max_size=120))
def histories(setup: Setup, happens: bytes) -> None:
    MET["histories"] += 1
    day = History(setup)
    try:
        for what, n in zip(happens[::2], happens[1::2], strict=False):
            day.do(what, n)
    except Exception:
        MET.setdefault("found", MET["histories"])
        raise
    finally:
        MET.update(day.edges)


@pytest.mark.timeout(3_600)
def test_no_history_lets_through_what_may_not_pass() -> None:
    histories()
    if EXAMPLES > FIXED:
        print(f"\n{', '.join(f'{way} {count:,}' for way, count in MET.most_common())}")
    unmet = [way for way in EVERY_WAY if not MET[way]]
    assert not unmet or EXAMPLES < FIXED, f"no history ever met: {', '.join(unmet)}"


def test_a_byte_says_what_happens_and_which_way() -> None:
    assert 256 % len(MOVES) == 0
