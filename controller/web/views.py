"""How the world and the history look from outside: entities and records into the shapes of the API.

A call's phase becomes one of the five words a person needs. Whatever is not yet a queue (greeting, menu,
announcement, voicemail) is `menu`; a caller in a queue is `ringing` while an agent is rung and `waiting` otherwise; a
call on its way to an outside phone is `ringing`. A call we have asked Asterisk to hang up keeps the word it had
(`talking` when it had been answered) until its channel is gone: `ended` is said of calls in the history only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from controller.core.codec import encode
from controller.core.facts import CallEnded
from controller.core.model import Agent, Alert, Call, Phase
from controller.core.setup import AgentSetup
from controller.core.world import World
from controller.ports import Line, Said
from controller.web.schemas import (
    AgentOut,
    AgentState,
    AlertOut,
    CallOut,
    CallState,
    Direction,
    Result,
    Side,
    Status,
    StoryLine,
)

MASK: Final = "***"
SHOWN_DIGITS: Final = 3
PII_KEYS: Final = frozenset({"caller", "callee", "caller_name", "to", "number", "dialled"})
"""Keys whose value is a person's number or name."""
_TIME_KEY: Final = re.compile(r"^(at|.*_(at|until))_ms$")
_LONG_NUMBER: Final = re.compile(r"\+?\d{7,}")

STATES: Final[Mapping[Phase, CallState]] = {
    Phase.MENU: "menu",
    Phase.ANNOUNCING: "menu",
    Phase.VOICEMAIL: "menu",
    Phase.WAITING: "waiting",
    Phase.FORWARDING: "ringing",
    Phase.CALLING: "ringing",
    Phase.DIALING: "ringing",
    Phase.TALKING: "talking",
    Phase.CONNECTED: "talking",
}
"""The word for each phase; WAITING with an offer out is `ringing`, ENDING is told by `state_of`."""


def iso(at_ms: int) -> str:
    """Write an instant as ISO 8601 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def iso_or_none(at_ms: int | None) -> str | None:
    """Write an instant that may not have come yet."""
    return None if at_ms is None else iso(at_ms)


def mask(number: str) -> str:
    """Leave the last three digits of a number, which tell two callers apart and name neither."""
    return MASK + number[-SHOWN_DIGITS:] if len(number) > SHOWN_DIGITS else MASK


def state_of(call: Call) -> CallState:
    """The API's word for where a live call stands."""
    if call.phase is Phase.ENDING:
        if call.answered_at_ms is not None:
            return "talking"
        if call.direction == "outbound":
            return "ringing"
        return "waiting" if call.queued_at_ms is not None else "menu"
    if call.phase is Phase.WAITING and call.offers:
        return "ringing"
    return STATES[call.phase]


def live_call(world: World, call: Call, *, masked: bool = False) -> CallOut:
    """Show a call that is up."""
    rung = [offer.agent for offer in call.offers]
    return CallOut(
        **_common(call, masked=masked),
        id=call.id,
        caller_name=None if masked else call.caller_name or None,
        state=state_of(call),
        agent=call.agent or (rung[0] if len(rung) == 1 else None),
        ringing=rung,
        held_by=cast("list[Side]", list(call.held_by)),
        consulting=("talking" if call.consulted_at_ms is not None else "ringing") if call.consult else None,
        position=world.position(call),
        ended_at=None,
        result=None,
        end_cause=None,
        offers=call.offer_count,
    )


def ended_call(row: CallEnded, *, masked: bool = False) -> CallOut:
    """Show a call of the history."""
    return CallOut(
        **_common(row, masked=masked),
        id=row.call,
        caller_name=None,
        state="ended",
        agent=row.agent or None,
        ringing=[],
        held_by=[],
        consulting=None,
        position=None,
        ended_at=iso(row.ended_at_ms),
        result=cast(Result, row.result),
        end_cause=row.end_cause or None,
        offers=row.offers,
    )


def _common(row: Call | CallEnded, *, masked: bool) -> dict[str, Any]:
    """What a live and an ended call have alike."""
    hide: Callable[[str], str] = mask if masked else str
    return {
        "direction": cast(Direction, row.direction),
        "hotline": row.hotline or None,
        "caller": hide(row.caller) if row.caller else None,
        "callee": hide(row.callee) if row.callee else None,
        "queue": row.queue or None,
        "arrived_at": iso(row.arrived_at_ms),
        "queued_at": iso_or_none(row.queued_at_ms),
        "answered_at": iso_or_none(row.answered_at_ms),
        "reason": row.reason or None,
        "via": row.via or None,
        "trunk": row.trunk or None,
        "carrier": row.carrier or None,
        "caller_id": row.caller_id or None,
        "recording": row.recording or None,
    }


def serves(call: Call, agent: str) -> bool:
    """Whether a live call is this agent's: talked with, transferred, or rung for."""
    return agent in (call.agent, call.served_by) or any(offer.agent == agent for offer in call.offers)


def agent_out(setup: AgentSetup, agent: Agent | None) -> AgentOut:
    """Show an agent of the setup; one the world does not know yet is offline."""
    now = agent or Agent(setup.name)
    return AgentOut(
        name=setup.name,
        groups=list(setup.groups),
        extension=setup.extension or None,
        status=cast(Status, now.status),
        reason=now.reason or None,
        state=cast(AgentState, now.state),
        call=now.call or None,
        since=iso(now.since_ms) if now.since_ms else None,
        wrap_up_until=iso_or_none(now.wrap_up_until_ms),
        reachable=now.reachable,
    )


def alert_out(alert: Alert) -> AlertOut:
    """Show an alert."""
    return AlertOut(
        id=alert.id,
        kind=alert.kind,
        call=alert.call,
        hotline=alert.hotline or None,
        queue=alert.queue or None,
        agent=alert.agent or None,
        limit_s=alert.limit_s,
        raised_at=iso(alert.raised_at_ms),
        cleared_at=iso_or_none(alert.cleared_at_ms),
    )


def story_lines(lines: Sequence[Line]) -> list[StoryLine]:
    """Show a story; offsets count from its first line."""
    first_ms = lines[0].at_ms if lines else 0
    return [
        StoryLine(
            at=iso(line.at_ms),
            offset_ms=line.at_ms - first_ms,
            kind=line.kind,
            name=line.name,
            cause=line.cause or None,
            body=outside(line.body),
        )
        for line in lines
    ]


def fact_out(said: Said, *, masked: bool = False) -> dict[str, Any]:
    """Show a fact as the event stream sends it: its number, its time, its type and what it says."""
    shown = {"seq": said.seq, "at": iso(said.at_ms), **outside(encode(said.fact))}
    return hidden(shown) if masked else shown


def outside(value: Mapping[str, Any]) -> dict[str, Any]:
    """Rename every instant `x_at_ms` to `x_at` and write it as the rest of the API does; durations stay as they are."""
    shown: dict[str, Any] = {}
    for key, item in value.items():
        if _TIME_KEY.match(key) and (item is None or isinstance(item, int)):
            shown[key.removesuffix("_ms")] = iso_or_none(item)
        else:
            shown[key] = _each(item, outside)
    return shown


def hidden(value: Mapping[str, Any]) -> dict[str, Any]:
    """Mask the numbers and names of people in a fact, also where a step of a decision mentions them."""
    shown: dict[str, Any] = {}
    for key, item in value.items():
        if key in PII_KEYS and isinstance(item, str):
            shown[key] = mask(item) if item else item
        elif key in {"steps", "why"}:
            shown[key] = _scrubbed(item)
        else:
            shown[key] = _each(item, hidden)
    return shown


def _each(item: Any, turn: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Any:
    """Apply `turn` to every object inside a JSON value."""
    if isinstance(item, Mapping):
        return turn(item)
    if isinstance(item, (list, tuple)):
        return [_each(row, turn) for row in item]
    return item


def _scrubbed(item: Any) -> Any:
    if isinstance(item, str):
        return _LONG_NUMBER.sub(lambda found: mask(found[0]), item)
    return [_scrubbed(row) for row in item] if isinstance(item, (list, tuple)) else item


def page_names(names: Iterable[str], after: str | None, limit: int) -> tuple[list[str], bool]:
    """Cut one page out of names in the order of the setup; a name that is gone begins anew."""
    rows = list(names)
    start = rows.index(after) + 1 if after in rows else 0
    return rows[start : start + limit], start + limit < len(rows)
