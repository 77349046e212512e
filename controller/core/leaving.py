"""Trunk meters: a call that leaves by a trunk holds one of its channels from the attempt until it is over.

The caps are kept here and nowhere else: whoever dials has asked `admit` before.
"""

from __future__ import annotations

from typing import Any

from controller.core import facts, figures, meter, quality, spending, trunks
from controller.core.evolve import evolve
from controller.core.model import Attempt, Call, TrunkState, TrunkWindow
from controller.core.setup import Trunk
from controller.core.turn import Turn

TRUNK_STATUS = ("CHANUNAVAIL", "CONGESTION")
"""How Dial ends when the trunk failed for its own reasons."""
REACHED_STATUS = ("BUSY", "DECLINED")
"""How Dial ends when the callee was reached and did not want to talk."""


def admit_next(turn: Turn, call: Call) -> Attempt | None:
    """Take the next attempt of a call whose trunk has room now; the trunk, caller id and count stand on the call."""
    for n in range(call.attempt, len(call.attempts)):
        attempt = call.attempts[n]
        trunk = turn.setup.trunk.get(attempt.trunk)
        free = trunk is not None and spending.may(turn, call, attempt)
        admitted = _admit(turn, call, attempt, trunk) if free and trunk is not None else None
        if admitted is not None:
            turn.put(admitted)
            spending.begin(turn, call, attempt)
            terms = _terms(turn, call, attempt.hotline) | {"attempt_at_ms": turn.now_ms}
            turn.change_call(call.id, attempt=n + 1, trunk=attempt.trunk, caller_id=attempt.caller_id, **terms)
            return attempt
    turn.change_call(call.id, attempt=len(call.attempts))
    return None


def _admit(turn: Turn, call: Call, attempt: Attempt, trunk: Trunk) -> TrunkState | None:
    state = turn.world.trunks.get(trunk.name) or TrunkState(trunk.name)
    if attempt.number in turn.setup.defaults.emergency:
        return meter.admit_urgent(state, call.id, turn.now_ms)
    day = figures.today(turn.world, turn.now_ms)
    admitted = trunks.admit(state, trunk, call.id, turn.now_ms, day)
    return admitted and spending.begin_trunk(turn, admitted, call.id)


def _terms(turn: Turn, call: Call, number: str) -> dict[str, Any]:
    """What an outbound call takes from the hotline that really carries it; an agent's own wrap-up wins."""
    if call.direction != "outbound":
        return {}
    hotline, agent = turn.setup.hotline.get(number), turn.setup.agent.get(call.agent)
    own = agent.wrap_up if agent else None
    return {
        "hotline": number,
        "talk_limit_s": hotline.notify_talk_time if hotline else None,
        "wrap_up_s": own if own is not None else (hotline.wrap_up if hotline else 0),
    }


def release(turn: Turn, call: Call) -> None:
    """The call no longer uses its trunk."""
    state = turn.world.trunks.get(call.trunk) if call.trunk else None
    if state is not None and call.id in state.live:
        turn.put(trunks.release(spending.over_trunk(turn, state, call), call.id))


def over(turn: Turn, call: Call) -> None:
    """The call is over: it holds nothing and counts nowhere as up any more."""
    if call.attempts:
        own = call.direction == "outbound" and call.answered_at_ms is not None
        tried(turn, call, "ANSWER" if own else "CANCEL")
        call = turn.world.calls.get(call.id, call)
    release(turn, call)
    spending.over(turn, call)


def give_up(turn: Turn, call: Call, status: str) -> None:
    """The caller stays with us: the call leaves by no trunk any more, and nothing of it counts as up."""
    tried(turn, call, status)
    release(turn, turn.world.calls[call.id])
    spending.over(turn, turn.world.calls[call.id])
    turn.change_call(call.id, **_AT_HOME)


_AT_HOME: dict[str, Any] = {
    "callee": "",
    "trunk": "",
    "carrier": "",
    "caller_id": "",
    "attempts": (),
    "attempt": 0,
    "attempt_at_ms": None,
    "talk_ends_at_ms": None,
}


def succeeded(turn: Turn, call: Call) -> None:
    """The trunk carried the call: its failures are forgotten, and the talk begins."""
    state = turn.world.trunks.get(call.trunk)
    if state is not None and (state.failures or state.pauses or state.cooling_until_ms is not None):
        if state.cooling_until_ms is not None:
            turn.say(facts.TrunkChanged(state.name, "up"))
        turn.put(trunks.succeeded(state))
    spending.answered(turn, call)
    if call.direction == "inbound":
        tried(turn, turn.world.calls[call.id], "ANSWER")


def failed(turn: Turn, call: Call, status: str, cause: int, sip: int = 0, delay_ms: int = 0) -> None:
    """The trunk failed for its own reasons: free its channel and count the failure towards its cool-down."""
    tried(turn, call, status, cause, sip, delay_ms)
    release(turn, call)
    state = turn.world.trunks.get(call.trunk)
    if state is None:
        return
    often = quality.is_failing(_window(turn, state.name), turn.now_ms)
    worse = meter.failed(state, turn.now_ms, often=often)
    turn.put(worse)
    turn.say(facts.TrunkFailed(call.id, call.trunk, status, cause, worse.cooling_until_ms))
    if worse.cooling_until_ms is not None and state.cooling_until_ms is None:
        turn.say(facts.TrunkChanged(state.name, "cooling"))


def tried(turn: Turn, call: Call, status: str, cause: int = 0, sip: int = 0, delay_ms: int = 0) -> None:
    """Say once what the present attempt returned, and count it in the figures of its trunk."""
    if call.attempt_at_ms is None or not call.trunk:
        return
    attempt = call.attempts[call.attempt - 1] if 0 < call.attempt <= len(call.attempts) else None
    hotline = attempt.hotline if attempt is not None and attempt.trunk == call.trunk else ""
    answered_ms = call.answered_at_ms or 0
    until_ms = answered_ms if answered_ms >= call.attempt_at_ms else turn.now_ms
    took_ms = max(0, until_ms - call.attempt_at_ms)
    turn.say(facts.AttemptEnded(call.id, call.trunk, hotline, status, cause, sip, delay_ms, took_ms))
    window = quality.note(
        _window(turn, call.trunk),
        turn.now_ms,
        f"sip {sip}" if sip else status.lower() or "none",
        answered=status == "ANSWER",
        failed=status in TRUNK_STATUS,
        delay_ms=delay_ms,
    )
    turn.put(window)
    turn.change_call(call.id, attempt_at_ms=None)
    state = turn.world.trunks.get(call.trunk)
    rang = delay_ms > 0 and status not in TRUNK_STATUS
    if state is not None and state.probe == call.id and (rang or status in REACHED_STATUS):
        turn.put(meter.reached(state))


def _window(turn: Turn, trunk: str) -> TrunkWindow:
    return turn.world.trunk_windows.get(trunk) or TrunkWindow(trunk)


def seen(turn: Turn, endpoint: str, reachable: bool) -> None:
    """Asterisk has asked a carrier whether it is there."""
    name = turn.setup.trunk_of_endpoint.get(endpoint)
    state = turn.world.trunks.get(name or "") or TrunkState(name or "")
    if not name or state.reachable is reachable:
        return
    turn.put(meter.seen(state, reachable=reachable))
    turn.say(facts.TrunkChanged(name, "up" if reachable else "unreachable"))


def cooled(turn: Turn, state: TrunkState) -> None:
    """A cool-down is over: the next call is the probe (`controller.core.meter`)."""
    turn.put(evolve(state, cooling_until_ms=None))
    turn.say(facts.TrunkChanged(state.name, "up" if state.reachable else "unreachable"))
