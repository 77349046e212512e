"""Found: a call that came back to the hotline it had tried first counted there twice, and was no call to one number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import ReplyTrunks
from controller.core.events import OutboundAsked, OutboundEnded, OutboundNextAsked, PhoneChannel
from controller.core.setup import Limits, Trunk
from tests.core.setups import SALES
from tests.core.test_outbound import SECOND, trunks
from tests.playbook import Playbook, given

pytestmark = pytest.mark.pure

FAILED = OutboundNextAsked("7.1", "CONGESTION", 34)


def dialling(**limits: int) -> Playbook:
    """A call by the first hotline, which will be tried by the second and then by a spare trunk of the first."""
    setup = trunks()
    first = replace(setup.hotlines[0], limits=Limits(**limits))
    spare = Trunk("v3", "viettel", endpoint="v3")
    setup = replace(setup, hotlines=(first, *setup.hotlines[1:]), trunks=(*setup.trunks, spare))
    return given(setup).when(PhoneChannel("an", "7.1", "ring")).when(OutboundAsked("7.1", "an", "0967123456"))


def left_by(book: Playbook) -> tuple[str, str] | None:
    attempt = book.one(ReplyTrunks).attempt
    return (attempt.trunk, attempt.hotline) if attempt else None


@pytest.mark.parametrize("limits", [{}, {"calls_per_callee": 1}, {"calls_per_day": 1}, {"calls_per_minute": 1}])
def test_it_counts_once_for_each_hotline_it_leaves_by(limits: dict[str, int]) -> None:
    book = dialling(**limits)
    assert [left_by(book), left_by(book.when(FAILED)), left_by(book.when(FAILED))] == [
        ("v1", SALES),
        ("v2", SECOND),
        ("v3", SALES),
    ]
    assert [book.world.hotlines[line].use.calls for line in (SALES, SECOND)] == [1, 1]
    assert [book.world.hotlines[line].use.live for line in (SALES, SECOND)] == [("7.1",), ()]
    book.when(OutboundEnded("7.1", "BUSY", 17)).when(PhoneChannel("an", "7.1", "gone"))
    assert book.world.hotlines[SALES].use.live == ()


def test_it_does_not_come_back_to_one_that_has_its_calls_up() -> None:
    book = dialling(calls_at_once=1)
    assert left_by(book.when(FAILED)) == ("v2", SECOND)
    book.when(PhoneChannel("binh", "7.2", "ring")).when(OutboundAsked("7.2", "binh", "0967555000", SALES))
    assert left_by(book) is not None, "there is a place while the first call tries the other hotline"
    assert left_by(book.when(FAILED)) is None
