"""Deadlines as data: when the next thing must happen to an entity. The engine sleeps until the nearest of all."""

from __future__ import annotations

from collections.abc import Iterator

from controller.core.model import Agent, AgentUse, Call, CalleeDay, Entity, HotlineState, TrunkState

FIELDS: dict[type, tuple[str, ...]] = {
    Call: (
        "prompt_until_ms",
        "key_until_ms",
        "max_wait_at_ms",
        "retry_at_ms",
        "answer_alert_at_ms",
        "talk_alert_at_ms",
        "ending_until_ms",
        "talk_ends_at_ms",
    ),
    Agent: ("wrap_up_until_ms", "releasing_until_ms", "unreachable_until_ms"),
    TrunkState: ("cooling_until_ms", "runs_out_ms"),
    HotlineState: ("runs_out_ms",),
    AgentUse: ("calm_at_ms", "runs_out_ms"),
    CalleeDay: ("until_ms",),
}
"""Which fields of which rows are instants at which something must happen."""


def deadlines(entity: Entity) -> Iterator[int]:
    """Every deadline an entity carries, in no order."""
    for field in FIELDS.get(type(entity), ()):
        at_ms = getattr(entity, field)
        if at_ms is not None:
            yield at_ms
    if isinstance(entity, Call):
        for offer in entity.offers:
            yield offer.until_ms


def next_deadline(entity: Entity) -> int | None:
    """The earliest deadline of an entity, None when it carries none."""
    return min(deadlines(entity), default=None)
