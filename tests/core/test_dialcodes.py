"""Keys before a number that say by which hotline it leaves."""

from __future__ import annotations

import pytest

from controller.core.dialcodes import take_off
from controller.core.setup import Adaptive, Hotline, Setup

pytestmark = pytest.mark.pure

SALES = "+842473001001"
SETUP = Setup(
    hotlines=(Hotline(SALES, dial_code="72"), Hotline("+842473001002", dial_code="*73")),
    adaptives=(Adaptive("auto", dial_code="#1"), Adaptive("plain")),
)


@pytest.mark.parametrize(
    ("dialled", "expected"),
    [
        ("720967123456", ("0967123456", SALES)),
        ("*730967123456", ("0967123456", "+842473001002")),
        ("#1+84967123456", ("+84967123456", "auto")),
        ("0967123456", ("0967123456", "")),
        ("72", ("72", "")),
        ("7", ("7", "")),
        ("", ("", "")),
        ("*7", ("*7", "")),
    ],
)
def test_a_code_is_taken_off_and_names_what_to_call_by(dialled: str, expected: tuple[str, str]) -> None:
    assert take_off(SETUP, dialled, "") == expected


def test_what_is_named_already_stays_and_so_does_the_number() -> None:
    assert take_off(SETUP, "720967123456", "auto") == ("720967123456", "auto")
    assert take_off(Setup(), "720967123456", "") == ("720967123456", "")
