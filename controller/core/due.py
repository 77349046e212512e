"""Deadlines as data: when the next thing must happen to an entity. The engine sleeps until the nearest of all."""

from __future__ import annotations

from collections.abc import Iterator

from controller.core.model import Agent, Call, Entity, TrunkState


def deadlines(entity: Entity) -> Iterator[int]:
    """Every deadline an entity carries, in no order."""
    match entity:
        case Call():
            for at_ms in (
                entity.prompt_until_ms,
                entity.key_until_ms,
                entity.max_wait_at_ms,
                entity.retry_at_ms,
                entity.answer_alert_at_ms,
                entity.talk_alert_at_ms,
                entity.ending_until_ms,
            ):
                if at_ms is not None:
                    yield at_ms
            for offer in entity.offers:
                yield offer.until_ms
        case Agent():
            for at_ms in (entity.wrap_up_until_ms, entity.releasing_until_ms, entity.unreachable_until_ms):
                if at_ms is not None:
                    yield at_ms
        case TrunkState():
            if entity.cooling_until_ms is not None:
                yield entity.cooling_until_ms
        case _:
            return


def next_deadline(entity: Entity) -> int | None:
    """The earliest deadline of an entity, None when it carries none."""
    return min(deadlines(entity), default=None)
