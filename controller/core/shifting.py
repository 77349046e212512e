"""The wall clock was stepped: every stored instant moves with it, so that waits, talks and rests keep their length."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.core.events import ClockMoved
from controller.core.model import Call, QueueDay
from controller.core.turn import Turn


def set_back(turn: Turn) -> None:
    """If the clock was set back while we were away, the rows tell: no call can have arrived in time to come."""
    calls_ms = [
        at_ms
        for call in turn.world.calls.values()
        for at_ms in (call.arrived_at_ms, call.queued_at_ms, call.answered_at_ms)
        if at_ms is not None
    ]
    behind_ms = max(calls_ms, default=0) - turn.now_ms
    if behind_ms > 0:
        shifted(turn, ClockMoved(-behind_ms))


def shifted(turn: Turn, event: ClockMoved) -> None:
    """Move every instant of every live row; the sums of a day are no instants."""
    delta_ms = event.delta_ms
    for entity in [row for row in turn.world.entities() if not isinstance(row, QueueDay)]:
        moved: dict[str, Any] = {
            name: value + delta_ms
            for name in entity.__dataclass_fields__
            if name.endswith("_ms") and isinstance(value := getattr(entity, name), int) and value
        }
        if isinstance(entity, Call):
            moved["offers"] = tuple(
                replace(o, offered_at_ms=o.offered_at_ms + delta_ms, until_ms=o.until_ms + delta_ms)
                for o in entity.offers
            )
        if moved:
            row: Any = entity
            turn.put(replace(row, **moved))
