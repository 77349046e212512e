"""A caller at the door: let in or turned away, once, and sent to the menu or the queue of the hotline dialled."""

from __future__ import annotations

from controller.core import commands, ending, facts, hours, menu, numbers, queueing, ways
from controller.core.events import CallArrived
from controller.core.model import Call, Phase
from controller.core.setup import Hotline
from controller.core.turn import Turn


def arrive(turn: Turn, event: CallArrived, legs: int = 0) -> None:
    """A caller is at the door: blocked, closed, menu or queue. Once: a call that is over does not begin again."""
    if event.call in turn.world.calls:
        return
    if turn.world.is_over(event.call):
        turn.do(commands.HangUp(event.call, turn.cause, event.call))
        return
    call = begin(turn, event, legs)
    hotline = turn.setup.hotline.get(call.hotline)
    if hotline is None:
        ending.hang_up(turn, call, "no_such_hotline", q850=1, result="failed", reason="no_such_hotline")
    elif numbers.is_blocked(turn.setup, call.caller, "ivr", turn.now_ms):
        ending.hang_up(turn, call, "blocked", q850=21, result="blocked", reason="blocked")
    else:
        _route(turn, call, hotline)


def begin(turn: Turn, event: CallArrived, legs: int) -> Call:
    """Put an inbound call into the world, routed nowhere yet; `legs` of its names are in use already."""
    hotline = turn.setup.hotline.get(event.dialled)
    call = Call(
        id=event.call,
        direction="inbound",
        phase=Phase.MENU,
        hotline=event.dialled,
        caller=event.caller,
        caller_name=event.caller_name,
        callee=event.dialled,
        arrived_at_ms=turn.now_ms,
        answer_limit_s=hotline.notify_answer_time if hotline else None,
        talk_limit_s=hotline.notify_talk_time if hotline else None,
        wrap_up_s=hotline.wrap_up if hotline else 0,
        legs=legs,
    )
    turn.put(call)
    turn.say(facts.CallStarted(call.id, "inbound", call.hotline, call.caller, call.callee, ""))
    return call


def _route(turn: Turn, call: Call, hotline: Hotline) -> None:
    schedule = turn.setup.schedule.get(hotline.hours)
    if schedule is not None and not hours.is_open(schedule, turn.now_ms):
        ways.take(turn, call.id, hotline.closed, "closed")
    elif hotline.menu:
        menu.enter(turn, call, hotline.menu)
    else:
        queueing.enter(turn, call, hotline.queue)
