"""A stolen phone gives itself away by what it asks for. Whoever asks too oddly is told of within the step.

Limits stop the damage (`reach`, `quota`); this makes somebody look. Three signs, all kept on the books with the agent:
one wish for a satellite or a premium number abroad, which no agent of a hotline has by mistake; the last call a day
allows; and too many odd wishes, `FAST_MAX` in a minute or `DAY_MAX` in a day. A wish is odd when it was refused for its
destination, its hour or its number, or when somebody who is signed out dials at night. The warning is taken back
after an hour without an odd wish.
"""

from __future__ import annotations

from dataclasses import replace

from controller.core import alerts, commands, facts, figures, hours, reach, spending
from controller.core.model import AgentUse, Alert
from controller.core.numbers import normalise
from controller.core.turn import Turn

KIND = "fraud"
FAST_MAX, FAST_MS = 5, 60_000
DAY_MAX, DAY_MS = 15, 86_400_000
CALM_MS = 3_600_000
NIGHT = (22 * 60, 6 * 60)
ODD_WORDS = ("number_kind", "country", "outside_hours", "over_limit", "blocked", "virtual", "not_permitted")


def watch(turn: Turn, agent: str, call: str, dialled: str, refusal: str) -> None:
    """Look at one wish to call out, refused by this word or (empty) granted."""
    row = spending.of_agent(turn, agent)
    why = _at_once(turn, row, dialled, refusal)
    if not why and refusal not in ODD_WORDS and not (not refusal and _signed_out_at_night(turn, agent)):
        return
    before_ms = [at_ms for at_ms in row.odd_ms if 0 <= turn.now_ms - at_ms < DAY_MS]
    odd_ms = (*before_ms[-DAY_MAX:], turn.now_ms)
    why = why or _too_many(odd_ms, turn.now_ms)
    row = replace(row, odd_ms=odd_ms)
    if row.alert:
        row = replace(row, calm_at_ms=turn.now_ms + CALM_MS)
    elif why:
        turn.say(facts.FraudSuspected(call, agent, why))
        alert = alerts.raise_standing(turn, call, KIND, agent, len(odd_ms))
        row = replace(row, alert=alert.id, calm_at_ms=turn.now_ms + CALM_MS)
    turn.put(row)


def calm(turn: Turn, row: AgentUse) -> None:
    """Nothing odd for an hour: the warning is taken back."""
    turn.put(replace(row, alert="", calm_at_ms=None))
    alert = turn.world.alerts.get(row.alert)
    if isinstance(alert, Alert):
        turn.remove("alert", alert.id)
        turn.say(facts.AlertCleared(alert.id, alert.kind, alert.call))
        turn.do(commands.RingBell(alert.call, turn.cause, replace(alert, cleared_at_ms=turn.now_ms), "cleared"))


def _at_once(turn: Turn, row: AgentUse, dialled: str, refusal: str) -> str:
    """What one wish alone is enough for."""
    if refusal == "number_kind":
        home = turn.setup.defaults.country
        kind, country = reach.kind_and_country(normalise(dialled, home), home)
        if kind == "satellite" or (kind == "premium" and country != home):
            return f"a {kind} number of {'no country' if country in {'', reach.NOWHERE} else country} was dialled"
    agent = turn.setup.agent.get(row.agent)
    if refusal == "over_limit" and agent is not None:
        use, today = row.use, figures.today(turn.world, turn.now_ms)
        if use.day == today and 0 < agent.limits.calls_per_day <= use.calls:
            return f"all {agent.limits.calls_per_day} calls of {today} are used up"
    return ""


def _too_many(odd_ms: tuple[int, ...], now_ms: int) -> str:
    fast = sum(1 for at_ms in odd_ms if now_ms - at_ms < FAST_MS)
    if fast >= FAST_MAX:
        return f"{fast} odd calls within a minute"
    return f"{len(odd_ms)} odd calls within a day" if len(odd_ms) >= DAY_MAX else ""


def _signed_out_at_night(turn: Turn, agent: str) -> bool:
    row = turn.world.agents.get(agent)
    if row is None or row.status != "offline":
        return False
    minute = hours.minute_of_day(turn.now_ms, turn.setup.defaults.timezone)
    return minute >= NIGHT[0] or minute < NIGHT[1]
