"""The wall clock was stepped: every stored instant moves with it, so that waits, talks and rests keep their length."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.core.events import ClockMoved
from controller.core.model import AgentUse, Call, Entity, HotlineState, QueueDay, TrunkState, TrunkWindow, Use
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
        moved |= _inside(entity, delta_ms)
        row: Any = entity
        later = replace(row, **moved)
        if later != row:
            turn.put(later)


def _inside(entity: Entity, delta_ms: int) -> dict[str, Any]:
    """The instants that stand deeper in a row, where caps and figures look for them."""
    moved: dict[str, Any] = {}
    if isinstance(entity, Call):
        moved["offers"] = tuple(
            replace(o, offered_at_ms=o.offered_at_ms + delta_ms, until_ms=o.until_ms + delta_ms) for o in entity.offers
        )
    if isinstance(entity, AgentUse | HotlineState | TrunkState):
        moved["use"] = _use(entity.use, delta_ms)
    if isinstance(entity, TrunkState):
        moved["starts_ms"] = _all(entity.starts_ms, delta_ms)
    if isinstance(entity, AgentUse):
        moved["odd_ms"] = _all(entity.odd_ms, delta_ms)
    if isinstance(entity, TrunkWindow):
        moved["slots"] = tuple(replace(slot, began_ms=slot.began_ms + delta_ms) for slot in entity.slots)
    return moved


def _use(use: Use, delta_ms: int) -> Use:
    talks = tuple((call, at_ms + delta_ms) for call, at_ms in use.talks)
    return replace(use, talks=talks, starts_ms=_all(use.starts_ms, delta_ms))


def _all(instants_ms: tuple[int, ...], delta_ms: int) -> tuple[int, ...]:
    return tuple(at_ms + delta_ms for at_ms in instants_ms)
