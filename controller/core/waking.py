"""What time does to a call: every deadline that has come, handled in the phase it finds the call in.

While Asterisk cannot be heard nothing is decided by time alone, alerts excepted: an agent may have answered, a prompt
may have ended, and nobody has told us.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from controller.core import agent as agents
from controller.core import alerts, clicking, commands, consulting, ending, menu, outbound, queueing, spending, ways
from controller.core.model import AgentUse, Call, HotlineState, Phase, TrunkState
from controller.core.turn import Turn


def due(turn: Turn, call: Call) -> None:
    """Some deadlines of a call have come: each is handled in the phase it finds the call in."""
    call = alerts.due(turn, call)
    if not turn.world.linked:
        _put_off(turn, call)
        return
    for field, handler in _DEADLINES:
        now = turn.world.calls.get(call.id)
        at_ms = getattr(now, field, None)
        if now is not None and at_ms is not None and at_ms <= turn.now_ms:
            turn.change_call(now.id, **{field: None})
            handler(turn, turn.world.calls[now.id])
    rest = turn.world.calls.get(call.id)
    if rest is not None:
        queueing.ring_time_over(turn, rest)


def _put_off(turn: Turn, call: Call) -> None:
    """Asterisk cannot be heard: the agent may have answered, the prompt may have ended. Decide when we know."""
    now_ms, later_ms = turn.now_ms, turn.now_ms + agents.DEAF_PAUSE_MS
    late: dict[str, Any] = {
        field: later_ms for field, _ in _DEADLINES if (at_ms := getattr(call, field)) is not None and at_ms <= now_ms
    }
    offers = tuple(replace(offer, until_ms=later_ms) if offer.until_ms <= now_ms else offer for offer in call.offers)
    turn.change_call(call.id, **late, offers=offers)


def _prompt_never_ended(turn: Turn, call: Call) -> None:
    ways.stop_prompt(turn, call)
    ways.prompt_over(turn, turn.world.calls[call.id])


def _key_time_over(turn: Turn, call: Call) -> None:
    if call.phase is Phase.MENU:
        menu.time_over(turn, call)
    elif call.phase is Phase.FORWARDING:
        ending.hang_up(turn, call, "no_answer")
    elif call.phase is Phase.VOICEMAIL:
        ending.hang_up(turn, call, "voicemail")
    elif call.phase is Phase.TALKING:
        consulting.not_answered(turn, call)
    elif call.phase is Phase.CALLING:
        clicking.not_picked_up(turn, call)


def _never_gone(turn: Turn, call: Call) -> None:
    turn.do(commands.HangUp(call.id, turn.cause, call.id))
    if call.direction == "outbound":
        outbound.lost(turn, call)
    else:
        ending.gone(turn, call, "lost")


def _talk_long_enough(turn: Turn, call: Call) -> None:
    """The longest call out an agent may cause, or the end of the day's minutes."""
    if call.phase is Phase.CONNECTED or call.phase is Phase.TALKING:
        _limit(turn, call)


def _limit(turn: Turn, call: Call) -> None:
    """A talk out has reached its end; where an agent consults, it is the consultation that does."""
    if call.consult:
        consulting.back(turn, call, "limit")
    else:
        ending.hang_up(turn, call, "limit")


def minutes_over(turn: Turn, row: HotlineState | TrunkState | AgentUse) -> None:
    """The day's minutes of a hotline, a trunk or an agent may be used up: the talks that use them end."""
    for name in spending.spent(turn, row):
        call = turn.world.calls.get(name)
        if call is not None:
            _limit(turn, call)


_DEADLINES: tuple[tuple[str, Callable[[Turn, Call], None]], ...] = (
    ("prompt_until_ms", _prompt_never_ended),
    ("key_until_ms", _key_time_over),
    ("retry_at_ms", queueing.retry),
    ("max_wait_at_ms", queueing.max_wait_over),
    ("ending_until_ms", _never_gone),
    ("talk_ends_at_ms", _talk_long_enough),
)
