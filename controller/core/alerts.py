"""Alerts: raised once when a limit is passed, cleared once when its cause ends (docs/decisions.md: notify times).

`answer_time`: a caller has waited longer than the hotline's limit without an agent; it counts from queue entry,
ringing included. `talk_time`: a talk lasts longer than the hotline's limit. Neither touches the call.
"""

from __future__ import annotations

from dataclasses import replace

from controller.core import commands, facts
from controller.core.model import Alert, Call
from controller.core.turn import Turn

KINDS = ("answer_time", "talk_time")
STANDING = ("fraud",)
"""Kinds that are not about one call: the call that set them off may be over long before they are."""


def due(turn: Turn, call: Call) -> Call:
    """Raise whatever limit of this call has been passed."""
    if call.answer_alert_at_ms is not None and call.answer_alert_at_ms <= turn.now_ms:
        call = turn.change_call(call.id, answer_alert_at_ms=None)
        _raise(turn, call, "answer_time", call.answer_limit_s or 0)
    if call.talk_alert_at_ms is not None and call.talk_alert_at_ms <= turn.now_ms:
        call = turn.change_call(call.id, talk_alert_at_ms=None)
        _raise(turn, call, "talk_time", call.talk_limit_s or 0)
    return call


def _raise(turn: Turn, call: Call, kind: str, limit_s: int) -> None:
    alert = Alert(f"{call.id}.{kind}", kind, call.id, call.hotline, call.queue, call.agent, limit_s, turn.now_ms)
    if alert.id in turn.world.alerts:
        return
    turn.put(alert)
    turn.say(facts.AlertRaised(alert.id, kind, call.id, call.hotline, call.queue, call.agent, limit_s))
    turn.do(commands.RingBell(call.id, turn.cause, alert, "raised"))


def raise_standing(turn: Turn, call: str, kind: str, agent: str, limit: int) -> Alert:
    """Raise a warning about an agent, set off by a call that may be over by now; `limit` is what was counted."""
    alert = Alert(f"{call}.{kind}", kind, call, "", "", agent, limit, turn.now_ms)
    if alert.id not in turn.world.alerts:
        turn.put(alert)
        turn.say(facts.AlertRaised(alert.id, kind, call, "", "", agent, limit))
        turn.do(commands.RingBell(call, turn.cause, alert, "raised"))
    return alert


def clear(turn: Turn, call: str, kind: str) -> None:
    """The cause of an alert ended; nothing when it was never raised."""
    alert = turn.world.alerts.get(f"{call}.{kind}")
    if alert is None:
        return
    turn.remove("alert", alert.id)
    turn.say(facts.AlertCleared(alert.id, kind, call))
    turn.do(commands.RingBell(call, turn.cause, replace(alert, cleared_at_ms=turn.now_ms), "cleared"))


def clear_all(turn: Turn, call: str) -> None:
    """The call is over: no alert of it stays open."""
    for kind in KINDS:
        clear(turn, call, kind)
