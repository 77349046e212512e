"""`evolve` gives what `dataclasses.replace` gives, and leaves the entity it began from alone."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from controller.core.evolve import evolve
from controller.core.model import Agent, Call, Phase

pytestmark = pytest.mark.pure

CALL = Call("1.1", "inbound", Phase.MENU, "+842473001001", "0967", "An", "+842473001001", 1)


def test_it_equals_replace() -> None:
    assert evolve(CALL, phase=Phase.WAITING, queue="sales") == replace(CALL, phase=Phase.WAITING, queue="sales")
    assert evolve(Agent("an"), status="available") == replace(Agent("an"), status="available")
    assert evolve(CALL) == CALL


def test_the_original_keeps_its_fields() -> None:
    evolve(CALL, queue="sales")
    assert CALL.queue == ""


def test_what_comes_out_is_as_frozen_as_what_went_in() -> None:
    with pytest.raises(FrozenInstanceError):
        evolve(CALL, queue="sales").queue = "support"  # type: ignore[misc]  # that is the point


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError, match="quue"):
        evolve(CALL, quue="sales")
