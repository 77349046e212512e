"""Limits in the setup file: inherited key by key, and every mistake in one line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.core.setup import AGENT_LIMITS, NUMBER_KINDS, SAFE_KINDS, Limits, Reach
from tests.core.documents import changed, problems, right

pytestmark = pytest.mark.pure


def test_an_agent_has_the_limits_of_the_defaults_except_where_its_own_say_otherwise() -> None:
    shared = {"calls_per_minute": 4, "longest_call": 600, "countries": ["LA"]}
    own = {"calls_at_once": 2, "calls_per_day": 9, "kinds": "all", "hours": "office"}
    setup = right(changed(("defaults.agent_limits", shared), ("agent.0.limits", own))).setup
    assert setup is not None
    an, binh = setup.agents[:2]
    assert an.limits == Limits(2, calls_per_minute=4, calls_per_day=9, minutes_per_day=AGENT_LIMITS.minutes_per_day)
    assert binh.limits == replace(AGENT_LIMITS, calls_per_minute=4)
    assert AGENT_LIMITS.calls_at_once > 0
    assert an.reach == Reach(("LA",), NUMBER_KINDS, "office", 600)
    assert binh.reach == setup.defaults.reach == Reach(("LA",), SAFE_KINDS, "", 600)


def test_a_hotline_has_the_limits_of_the_defaults_except_where_its_own_say_otherwise() -> None:
    shared, own = {"calls_at_once": 4, "calls_per_minute": 7}, {"calls_per_minute": 0, "calls_per_callee": 2}
    setup = right(changed(("defaults.hotline_limits", shared), ("hotline.0.limits", own))).setup
    assert setup is not None
    assert setup.hotlines[0].limits == Limits(calls_at_once=4, calls_per_callee=2)
    assert setup.hotlines[1].limits == Limits(calls_at_once=4, calls_per_minute=7)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "agent.0.limits",
            {"calls_per_minute": -1},
            "agent[0].limits.calls_per_minute: -1 is out of range",
        ),
        ("agent.0.limits", {"calls_at_once": -2}, "agent[0].limits.calls_at_once: -2 is out of range"),
        ("agent.0.limits", {"calls_per_callee": 2}, "agent[0].limits.calls_per_callee: there is no such key here"),
        (
            "agent.0.limits",
            {"countries": ["vn"]},
            "agent[0].limits.countries[0]: 'vn' is no country",
        ),
        ("agent.0.limits", {"countries": "every"}, 'agent[0].limits.countries: must be "all" or a list of countries'),
        ("agent.0.limits", {"kinds": ["mobil"]}, "agent[0].limits.kinds[0]: 'mobil' is none of"),
        ("agent.0.limits", {"kinds": 5}, 'agent[0].limits.kinds: must be "all" or a list of kinds, not a whole number'),
        ("agent.0.limits", {"hours": "offic"}, "agent[0].limits.hours: no schedule is named 'offic'"),
        ("defaults.agent_limits", {"hours": "offic"}, "defaults.agent_limits.hours: no schedule is named 'offic'"),
        ("hotline.0.limits", {"longest_call": 5}, "hotline[0].limits.longest_call: there is no such key here"),
        (
            "defaults.hotline_limits",
            {"call_per_day": 5},
            "defaults.hotline_limits.call_per_day: there is no such key",
        ),
        ("trunk.0.excluded_kinds", ["premum"], "trunk[0].excluded_kinds[0]: 'premum' is none of"),
        ("trunk.0.excluded_prefixes", ["x"], "trunk[0].excluded_prefixes[0]: 'x' is no prefix of phone numbers"),
        (
            "trunk.0.excluded_prefixes",
            ["0989", "+84989"],
            "trunk[0].excluded_prefixes[1]: '+84989' is in",
        ),
        ("trunk.0.caller_id", "E164", "trunk[0].caller_id: 'E164' is none of e164, national, plain"),
        ("trunk.0.caller_id_in", "pai", "trunk[0].account: is missing"),
        ("trunk.0.account", "x", 'trunk[0].account: has a meaning only with caller_id_in = "pai"'),
        ("trunk.0.qualify", 99999, "trunk[0].qualify: 99999 is out of range: 0 to 3600"),
        ("trunk.0.cost", -1, "trunk[0].cost: -1 is out of range"),
    ],
)
def test_every_mistake_has_its_line(path: str, value: Any, said: str) -> None:
    found = [str(problem) for problem in problems(changed((path, value)))]
    assert any(line.startswith(said) for line in found), found
    assert len(found) == 1


def test_a_trunk_with_everything() -> None:
    keys = {
        "minutes_per_day": 5, "cost": 3, "excluded_prefixes": ["0989 00"], "excluded_kinds": ["premium"],
        "caller_id": "plain", "caller_id_in": "pai", "account": "vt-1", "privacy": True, "qualify": 0,
    }  # fmt: skip
    setup = right(changed(*((f"trunk.0.{key}", value) for key, value in keys.items()))).setup
    assert setup is not None
    assert setup.trunks[0].excluded_prefixes == ("+8498900",)
    assert (setup.trunks[0].caller_id_in, setup.trunks[0].account, setup.trunks[0].qualify) == ("pai", "vt-1", 0)
