"""Trunk meters: a call that leaves by a trunk holds one of its channels from the attempt until it is over.

The caps are kept here and nowhere else: whoever dials has asked `admit` before.
"""

from __future__ import annotations

from controller.core import facts, trunks
from controller.core.model import Attempt, Call, HotlineState, TrunkState
from controller.core.turn import Turn


def admit_next(turn: Turn, call: Call) -> Attempt | None:
    """Take the next attempt of a call whose trunk has room now; the trunk, caller id and count stand on the call."""
    for n in range(call.attempt, len(call.attempts)):
        attempt = call.attempts[n]
        trunk = turn.setup.trunk.get(attempt.trunk)
        if trunk is None:
            continue
        state = turn.world.trunks.get(trunk.name) or TrunkState(trunk.name)
        admitted = trunks.admit(state, trunk, call.id, turn.now_ms)
        if admitted is not None:
            turn.put(admitted)
            turn.put(HotlineState(attempt.hotline, turn.now_ms))
            own = {"hotline": attempt.hotline} if call.direction == "outbound" else {}
            turn.change_call(call.id, attempt=n + 1, trunk=trunk.name, caller_id=attempt.caller_id, **own)
            return attempt
    turn.change_call(call.id, attempt=len(call.attempts))
    return None


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
