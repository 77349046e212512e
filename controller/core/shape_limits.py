"""The shape of what calling out may cost: limits of agents and hotlines, and whom agents may call."""

from __future__ import annotations

import phonenumbers

from controller.core.alphabets import NAME, TEXT
from controller.core.saying import say
from controller.core.setup import NUMBER_KINDS, Limits, Reach
from controller.core.shape import Table, kind_of, shown

LIMIT_MAX = 1_000_000
DAY_MINUTES_MAX = 1_000_000
LONGEST_CALL_MAX_S = 86_400


def read_limits(table: Table | None, rest: Limits, *, hotline: bool = False) -> Limits:
    """What may be used; a key that is left out is as in `rest`. One key means something for hotlines only."""
    if table is None:
        return rest
    return Limits(
        calls_at_once=table.integer("calls_at_once", rest.calls_at_once, 0, LIMIT_MAX),
        calls_per_minute=table.integer("calls_per_minute", rest.calls_per_minute, 0, LIMIT_MAX),
        calls_per_day=table.integer("calls_per_day", rest.calls_per_day, 0, LIMIT_MAX),
        minutes_per_day=table.integer("minutes_per_day", rest.minutes_per_day, 0, DAY_MINUTES_MAX),
        calls_per_callee=table.integer("calls_per_callee", rest.calls_per_callee, 0, LIMIT_MAX) if hotline else 0,
    )


def read_reach(table: Table | None, rest: Reach) -> Reach:
    """Whom an agent may call and when; a key that is left out is as in `rest`."""
    if table is None:
        return rest
    return Reach(
        countries=_countries(table, rest.countries),
        kinds=_kinds(table, rest.kinds),
        hours=table.text("hours", NAME, default=rest.hours),
        longest_call=table.integer("longest_call", rest.longest_call, 0, LONGEST_CALL_MAX_S),
    )


def _countries(table: Table, rest: tuple[str, ...] | None) -> tuple[str, ...] | None:
    value = table.raw("countries")
    if not table.has("countries"):
        return rest
    if value == "all":
        return None
    if not isinstance(value, list):
        table.wrong("countries", say("must_be", wanted=say("all_or_countries"), kind=kind_of(value)))
        return ()
    found = table.texts("countries", TEXT)
    for n, country in enumerate(found):
        if country not in phonenumbers.SUPPORTED_REGIONS:
            place = (*table.at("countries"), n)
            table.report.add(place, say("no_country", value=shown(country)))
    return found


def _kinds(table: Table, rest: tuple[str, ...]) -> tuple[str, ...]:
    value = table.raw("kinds")
    if not table.has("kinds"):
        return rest
    if value == "all":
        return NUMBER_KINDS
    if not isinstance(value, list):
        table.wrong("kinds", say("must_be", wanted=say("all_or_kinds"), kind=kind_of(value)))
        return ()
    return table.words("kinds", NUMBER_KINDS)
