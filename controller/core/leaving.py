"""Trunk meters: a call that leaves by a trunk holds one of its channels from the attempt until it is over.

The caps are kept here and nowhere else: whoever dials has asked `admit` before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.core import facts, trunks
from controller.core.model import Attempt, Call, HotlineState, TrunkState
from controller.core.setup import Trunk
from controller.core.turn import Turn


def admit_next(turn: Turn, call: Call) -> Attempt | None:
    """Take the next attempt of a call whose trunk has room now; the trunk, caller id and count stand on the call."""
    for n in range(call.attempt, len(call.attempts)):
        attempt = call.attempts[n]
        trunk = turn.setup.trunk.get(attempt.trunk)
        admitted = _admit(turn, call, attempt, trunk) if trunk is not None else None
        if admitted is not None:
            turn.put(admitted)
            turn.put(HotlineState(attempt.hotline, turn.now_ms))
            terms = _terms(turn, call, attempt.hotline)
            turn.change_call(call.id, attempt=n + 1, trunk=attempt.trunk, caller_id=attempt.caller_id, **terms)
            return attempt
    turn.change_call(call.id, attempt=len(call.attempts))
    return None


def _admit(turn: Turn, call: Call, attempt: Attempt, trunk: Trunk) -> TrunkState | None:
    state = turn.world.trunks.get(trunk.name) or TrunkState(trunk.name)
    if attempt.number in turn.setup.defaults.emergency:
        rest = trunks.release(state, call.id)
        return replace(rest, live=(*rest.live, call.id))
    return trunks.admit(state, trunk, call.id, turn.now_ms)


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
        turn.put(trunks.release(state, call.id))


def succeeded(turn: Turn, call: Call) -> None:
    """The trunk carried the call: its failures are forgotten."""
    state = turn.world.trunks.get(call.trunk)
    if state is not None and (state.failures or state.cooling_until_ms is not None):
        turn.put(trunks.succeeded(state))


def failed(turn: Turn, call: Call, status: str, cause: int) -> None:
    """The trunk failed for its own reasons: free its channel and count the failure towards its cool-down."""
    release(turn, call)
    state = turn.world.trunks.get(call.trunk)
    if state is None:
        return
    worse = trunks.failed(state, turn.now_ms)
    turn.put(worse)
    turn.say(facts.TrunkFailed(call.id, call.trunk, status, cause, worse.cooling_until_ms))
