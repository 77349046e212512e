"""Live rows: every one has a kind and an id, unique over all of them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import get_args

import pytest

from controller.core.model import (
    Agent,
    AgentUse,
    Alert,
    Call,
    CalleeDay,
    Entity,
    HotlineState,
    Pbx,
    Phase,
    QueueDay,
    TrunkState,
    TrunkWindow,
    key_of,
)

pytestmark = pytest.mark.pure

ROWS = [
    (Call("1.1", "inbound", Phase.MENU, "", "", "", "", 1), ("call", "1.1")),
    (Agent("an"), ("agent", "an")),
    (TrunkState("v1"), ("trunk", "v1")),
    (HotlineState("+84"), ("hotline", "+84")),
    (TrunkWindow("v1"), ("trunk_window", "v1")),
    (AgentUse("an"), ("agent_use", "an")),
    (CalleeDay("+84>+85", "2026-01-01", 1, 2), ("callee_day", "+84>+85")),
    (Alert("1.1.talk_time", "talk_time", "1.1", "", "", "", 1, 2), ("alert", "1.1.talk_time")),
    (QueueDay("sales", "2026-01-01"), ("queue_day", "sales")),
    (Pbx(), ("pbx", "asterisk")),
]


@pytest.mark.parametrize(("row", "key"), ROWS)
def test_a_row_is_found_by_kind_and_id(row: Entity, key: tuple[str, str]) -> None:
    assert key_of(row) == key


def test_every_kind_of_row_is_here() -> None:
    assert {type(row) for row, _ in ROWS} == set(get_args(Entity))
    assert len({key[0] for _, key in ROWS}) == len(ROWS)


def test_rows_cannot_be_changed() -> None:
    for row, _ in ROWS:
        with pytest.raises(FrozenInstanceError):
            setattr(row, fields(row)[0].name, "another")
