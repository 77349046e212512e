"""Calls: what is up, what was, the story of one, and the order to end one.

Live calls come from the world, ended ones from the books; asked for both, they are one list by time of arrival. An
agent's token sees that agent's calls alone, and is told 404 about every other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from heapq import nlargest
from typing import Annotated

from fastapi import APIRouter, Body, Query

from controller.core import numbers, trunks
from controller.core.events import ConsultAsked, HangupAsked, TransferAsked
from controller.core.facts import CallEnded
from controller.core.model import Call
from controller.core.saying import say
from controller.core.setup import Setup
from controller.web.asked import CallId, CallsAsked, Known, Who, Wish, ask, before_instant, epoch_ms, page_mark
from controller.web.auth import Principal, Role
from controller.web.deps import CallsWanted, Deps
from controller.web.dialling import read_dialled
from controller.web.problems import Problem
from controller.web.schemas import (
    CallOut,
    CallPage,
    ConsultIn,
    ConsultOut,
    Given,
    HangupOut,
    Story,
    TransferIn,
    TransferOut,
)
from controller.web.views import ended_call, live_call, serves, story_lines

router = APIRouter(prefix="/api/v1/calls", tags=["calls"])


class Nothing(Given):
    """An empty object: this call needs no words."""


@router.get("")
async def calls(deps: Known, who: Who, asked: Annotated[CallsAsked, Query()]) -> CallPage:
    """List calls, newest arrival first. `since` and `until` are about the arrival; `until` is not included."""
    before = before_instant(asked.cursor)
    setup = deps.engine.world.setup
    hotline = trunks.find_hotline(setup, asked.hotline) if asked.hotline else None
    wanted = CallsWanted(
        hotline=hotline.number if hotline else asked.hotline,
        queue=asked.queue,
        agent=asked.agent,
        callers=_spellings(asked.caller, setup) if asked.caller else (),
        result=asked.result or "",
        direction=asked.direction or "",
        since_ms=epoch_ms(asked.since),
        until_ms=epoch_ms(asked.until),
    )
    if who.role is Role.AGENT:
        if asked.agent not in {"", who.agent}:
            return CallPage(items=[], next=None)
        wanted = replace(wanted, agent=who.agent)
    found: dict[tuple[int, str], Call | CallEnded] = {}
    await deps.engine.written()
    # Live calls first: one that ends while the books are read is then found in both, and never in neither.
    if asked.state != "ended" and not wanted.result:
        for call in _live(deps.engine.world.calls.values(), wanted, before, setup):
            found[call.arrived_at_ms, call.id] = call
    if asked.state != "live":
        for ended in await deps.history.calls(wanted, before=before, limit=asked.limit + 1):
            found[ended.arrived_at_ms, ended.call] = ended
    # One row more than asked for tells whether there is a next page.
    newest = nlargest(asked.limit + 1, found)
    shown = newest[: asked.limit]
    more = len(newest) > asked.limit
    items = [_show(deps, who, found[key]) for key in shown]
    return CallPage(items=items, next=page_mark(*shown[-1]) if more else None)


@router.get("/{call}")
async def one_call(deps: Known, who: Who, call: CallId) -> CallOut:
    """Show one call, live or ended."""
    await deps.engine.written()
    live = deps.engine.world.calls.get(call)
    row = live if live is not None else await deps.history.call(call)
    if row is None:
        raise _no_call(call)
    _must_be_own(who, row, call)
    return _show(deps, who, row)


@router.get("/{call}/story")
async def story(deps: Known, who: Who, call: CallId) -> Story:
    """Tell every event, decision and command of a call with its cause and time, oldest first."""
    live = deps.engine.world.calls.get(call)
    if live is not None:
        _must_be_own(who, live, call)
    elif who.role is Role.AGENT:
        _must_be_own(who, await deps.history.call(call), call)
    lines = deps.engine.story(call) if live is not None else await deps.history.story(call)
    if not lines and live is None and await deps.history.call(call) is None:
        raise _no_call(call)
    return Story(call=call, items=story_lines(lines))


@router.post("/{call}/hangup", status_code=202)
async def hangup(deps: Known, who: Who, call: CallId, body: Annotated[Nothing | None, Body()] = None) -> HangupOut:
    """Order the end of a call. It has ended when its channel is gone: watch its state, or the events."""
    del body
    live = deps.engine.world.calls.get(call)
    if live is None:
        ended = await deps.history.call(call)
        _must_be_own(who, ended, call)
        raise Problem(409, say("call_ended_already", call=call))
    _must_be_own(who, live, call)
    wish = Wish(HangupAsked(call, by=who.by), "call.hangup", call, old=lambda: _phase(deps, call))
    await ask(deps, who, wish)
    return HangupOut(call=call)


@router.post("/{call}/transfer", status_code=202)
async def transfer(deps: Known, who: Who, call: CallId, body: Annotated[TransferIn, Body()]) -> TransferOut:
    """Send a caller who talks to an agent on to an outside phone, under the rules of every call out.

    409 when the caller does not talk to an agent, or the phone may not be called; then the talk goes on.
    """
    _must_be_own(who, deps.engine.world.calls.get(call), call)
    dialled = await read_dialled(deps, body.to, body.hotline)
    event = TransferAsked(call, dialled.number, dialled.via, dialled.ported, dialled.ported_source, by=who.by)
    new = f"{dialled.number} {dialled.via}".strip()
    await ask(deps, who, Wish(event, "call.transfer", call, new, old=lambda: _phase(deps, call)))
    return TransferOut(call=call)


@router.post("/{call}/consult", status_code=202)
async def consult(deps: Known, who: Who, call: CallId, body: Annotated[ConsultIn, Body()]) -> ConsultOut:
    """Attended transfer: the agent asks an outside phone while the caller hears music, and then decides.

    409 when this cannot be done now, or the phone may not be called; then everything goes on as it was.
    """
    _must_be_own(who, deps.engine.world.calls.get(call), call)
    if body.action == "begin":
        dialled = await read_dialled(deps, body.to, body.hotline)
        asked = (dialled.number, dialled.via, dialled.ported, dialled.ported_source)
    else:
        asked = ("", "", "", "")
    new = " ".join(word for word in (body.action, *asked[:2]) if word)
    event = ConsultAsked(call, body.action, *asked, by=who.by)
    await ask(deps, who, Wish(event, "call.consult", call, new, old=lambda: _phase(deps, call)))
    return ConsultOut(call=call, action=body.action)


def _phase(deps: Deps, call: str) -> str:
    """Where a call stands, in the words of the audit."""
    live = deps.engine.world.calls.get(call)
    return str(live.phase.value) if live is not None else ""


def _show(deps: Deps, who: Principal, row: Call | CallEnded) -> CallOut:
    if isinstance(row, Call):
        return live_call(deps.engine.world, row, masked=who.masked)
    return ended_call(row, masked=who.masked)


def _live(calls: Iterable[Call], wanted: CallsWanted, before: tuple[int, str] | None, setup: Setup) -> Iterable[Call]:
    """The live calls that fit the filters."""
    callers = {_spelling(caller, setup) for caller in wanted.callers}
    for call in calls:
        if (
            (before is None or (call.arrived_at_ms, call.id) < before)
            and (wanted.since_ms is None or call.arrived_at_ms >= wanted.since_ms)
            and (wanted.until_ms is None or call.arrived_at_ms < wanted.until_ms)
            and wanted.hotline in {"", call.hotline}
            and wanted.queue in {"", call.queue}
            and wanted.direction in {"", call.direction}
            and (not wanted.agent or serves(call, wanted.agent))
            and (not callers or _spelling(call.caller, setup) in callers)
        ):
            yield call


def _spelling(number: str, setup: Setup) -> str:
    country = setup.defaults.country
    return numbers.comparable(numbers.normalise(number, country), country) or number


def _spellings(number: str, setup: Setup) -> tuple[str, ...]:
    """Every spelling a caller's number may have in the books: carriers send what they like."""
    found = numbers.normalise(number, setup.defaults.country)
    bare = found.e164.removeprefix("+")
    spellings = (number, found.e164, bare, f"00{bare}" if bare else "", found.national, found.dial)
    return tuple(dict.fromkeys(spelling for spelling in spellings if spelling))


def _must_be_own(who: Principal, call: Call | CallEnded | None, name: str) -> None:
    """Tell an agent nothing about calls of others, not even that they exist."""
    if call is None:
        raise _no_call(name)
    theirs = serves(call, who.agent) if isinstance(call, Call) else call.agent == who.agent
    if who.role is Role.AGENT and not theirs:
        raise _no_call(name)


def _no_call(name: str) -> Problem:
    return Problem(404, say("no_call", name=name))
