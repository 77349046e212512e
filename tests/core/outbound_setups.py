"""Setups of the histories of calling out: small and dense, everything open but for one to four rules drawn tight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import event as noted
from hypothesis import strategies as st

from controller.core.setup import (
    Adaptive,
    AgentSetup,
    Blocked,
    Carrier,
    Defaults,
    Group,
    Hotline,
    Limits,
    Queue,
    QueueGroup,
    Reach,
    Schedule,
    Setup,
    Trunk,
    Way,
    WayKind,
)
from tests.core.outbound_books import CALLEES, OPEN_KINDS, Callee

AGENTS = ("an", "binh", "chi", "dung")
WAYS = ("v1", "v2", "v3", "m1")
GROUPS_OF = {"an": ("sales",), "binh": ("sales",), "chi": ("sales",), "dung": ("night",)}
SERVED_BY = (QueueGroup("sales"), QueueGroup("night"))
LINES = ("+842473001001", "+842473001002", "+842473001003", "19001001")
TRUNK_OF = dict(zip(LINES, ("v1", "v2", "m1", "v1"), strict=True))
NOON_MS = 1_795_582_800_000
"""2026-11-25 12:00 in Hanoi."""
MORNING = Schedule("morning", "Asia/Ho_Chi_Minh", (((480, 725),),) * 7)
Draw = Callable[[st.SearchStrategy[Any]], Any]
Rows = dict[str, dict[str, Any]]


def one_of(draw: Draw, *values: Any) -> Any:
    return draw(st.sampled_from(values))


def _line(draw: Draw, lines: Rows, **change: Any) -> None:
    lines[one_of(draw, *LINES)].update(change)


def _caps(draw: Draw, rows: Rows, names: tuple[str, ...], key: str, *values: int) -> None:
    """A cap on one row, or the same on all of them."""
    value, name = one_of(draw, *values), one_of(draw, "", one_of(draw, *names))
    for each in (name,) if name else names:
        rows[each]["limits"] = replace(rows[each].get("limits", Limits()), **{key: value})


def _ways(draw: Draw, ways: Rows, **change: Any) -> None:
    name = one_of(draw, "", *WAYS)
    for each in (name,) if name else WAYS:
        ways[each].update(change)


TIGHT: dict[str, Callable[[Draw, Rows, Rows, Rows, dict[str, Any]], None]] = {
    "virtual": lambda d, li, w, p, s: _line(d, li, kind="virtual"),
    "no outbound": lambda d, li, w, p, s: _line(d, li, outbound=False),
    "groups": lambda d, li, w, p, s: _line(d, li, outbound_groups=one_of(d, ("night",), ("sales", "night"), ())),
    "adaptive": lambda d, li, w, p, s: s.update(adaptives=(Adaptive("auto", outbound=False),)),
    "blocked": lambda d, li, w, p, s: s.update(blocked=one_of(d, *BLOCKS)),
    "reach": lambda d, li, w, p, s: p[one_of(d, *AGENTS)].update(reach=one_of(d, *REACHES)),
    "longest": lambda d, li, w, p, s: [row.update(reach=Reach(longest_call=30)) for row in p.values()] and None,
    "open": lambda d, li, w, p, s: s.update(
        defaults=Defaults(reach=Reach(countries=None, kinds=("premium", "satellite", *OPEN_KINDS)))
    ),
    "off": lambda d, li, w, p, s: _ways(d, w, enabled=False),
    "prefix": lambda d, li, w, p, s: _ways(d, w, excluded_prefixes=("+8496",)),
    "kind": lambda d, li, w, p, s: _ways(d, w, excluded_kinds=("landline", "toll_free")),
    "channels": lambda d, li, w, p, s: _ways(d, w, max_channels=one_of(d, 1, 2)),
    "cps": lambda d, li, w, p, s: _ways(d, w, max_cps=one_of(d, 1, 2)),
    "trunk minutes": lambda d, li, w, p, s: _ways(d, w, minutes_per_day=1),
    "at once": lambda d, li, w, p, s: _caps(d, li, LINES, "calls_at_once", 1, 2),
    "per minute": lambda d, li, w, p, s: _caps(d, li, LINES, "calls_per_minute", 1, 2),
    "per day": lambda d, li, w, p, s: _caps(d, li, LINES, "calls_per_day", 1, 2, 3),
    "minutes": lambda d, li, w, p, s: _caps(d, li, LINES, "minutes_per_day", 1),
    "per callee": lambda d, li, w, p, s: _caps(d, li, LINES, "calls_per_callee", 1, 2),
    "agent at once": lambda d, li, w, p, s: _caps(d, p, AGENTS, "calls_at_once", 1, 2),
    "agent per minute": lambda d, li, w, p, s: _caps(d, p, AGENTS, "calls_per_minute", 1, 2),
    "agent per day": lambda d, li, w, p, s: _caps(d, p, AGENTS, "calls_per_day", 1, 2, 3),
    "agent minutes": lambda d, li, w, p, s: _caps(d, p, AGENTS, "minutes_per_day", 1),
    "one network": lambda d, li, w, p, s: li[LINES[2]].update(carrier="viettel"),
    "by name": lambda d, li, w, p, s: [row.update(outbound_with=one_of(d, *LINES)) for row in p.values()] and None,
}
RULES = (*sorted(TIGHT), *("per callee",) * 4, *("longest",) * 2)
"""The cap on calls to one number needs two calls that meet, so it is drawn more often than others; so is the longest
call, which a caller handed over must reach."""
BLOCKS = (
    (Blocked("+84967123456", ("outbound",)),),
    (Blocked("+8496", ("outbound",), prefix=True),),
    (Blocked("+84912345678", ("ivr", "queue")), Blocked("+84967555000", ("outbound",), until_ms=NOON_MS + 30_000)),
)
REACHES = (
    Reach(countries=("US",)),
    Reach(countries=None, kinds=("premium", *OPEN_KINDS)),
    Reach(kinds=("mobile", "satellite")),
    Reach(hours="morning"),
)


@st.composite
def overflows(draw: st.DrawFn) -> Way:
    """Where callers go, as nobody is signed in: to a phone, by the hotline they dialled or another."""
    return Way(WayKind.PHONE, keys_of(one_of(draw, *CALLEES)), one_of(draw, "", "auto", *LINES))


def keys_of(callee: Callee) -> str:
    return callee.dialled.replace(" ", "").replace(".", "")


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    """Everything open but for one to four rules."""
    lines: Rows = {number: {} for number in LINES}
    ways: Rows = {name: {} for name in WAYS}
    people: Rows = {name: {} for name in AGENTS}
    rest: dict[str, Any] = {"adaptives": (Adaptive("auto", one_of(draw, "", *LINES)),)}
    for rule in draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=4, unique=True)):
        TIGHT[rule](draw, lines, ways, people, rest)
        noted(rule)
    return Setup(
        **rest,
        carriers=(Carrier("viettel", prefixes=("096",)), Carrier("vinaphone", prefixes=("091",))),
        trunks=tuple(
            Trunk(name, "viettel" if name[0] == "v" else "vinaphone", endpoint=name, **ways[name]) for name in WAYS
        ),
        hotlines=tuple(_hotline(number, lines[number]) for number in LINES),
        queues=(Queue("sales", SERVED_BY, wrap_up=0, on_no_agent=draw(overflows())),),
        groups=(Group("sales"), Group("night")),
        agents=tuple(
            AgentSetup(name, GROUPS_OF[name], endpoint=name, **{"outbound_with": "auto"} | own)
            for name, own in people.items()
        ),
        schedules=(MORNING,),
    )


def _hotline(number: str, own: dict[str, Any]) -> Hotline:
    plain = {"trunk": TRUNK_OF[number], "carrier": "vinaphone" if TRUNK_OF[number] == "m1" else "viettel"}
    return Hotline(number, queue="sales", **{"outbound": True} | plain | own)
