"""Numbers that a search found to be read wrongly."""

from __future__ import annotations

import pytest

from controller.core.numbers import Kind, clean, comparable_prefix, is_blocked, normalise
from controller.core.setup import Blocked, Setup

pytestmark = pytest.mark.pure


def test_a_foreign_number_too_long_to_be_read_back_is_unknown() -> None:
    """Fuzz Z6: 19 digits that the library holds for possible; with 00 in front of them nobody could dial them."""
    number = normalise("+62 1231095586623 6988")
    assert (number.kind, number.e164) == (Kind.UNKNOWN, "")
    assert clean(number.dial) == number.dial
    assert normalise(number.dial) == number


@pytest.mark.parametrize(
    ("written", "dial", "extension"),
    [
        ("（０２４）３８２６１２３４", "02438261234", ""),
        ("０９６７－１２３－４５６", "0967123456", ""),
        ("０９６７．１２３／４５６", "0967123456", ""),
        ("＋８４　９６７　１２３　４５６", "0967123456", ""),
        ("０９６７１２３４５６，１０１", "0967123456", "101"),
        ("0967123456＃12", "0967123456", "12"),
        ("0967123456ｘ12", "0967123456", "12"),
        ("０９６７＊１２３", "", ""),
        ("ａ０９６７１２３４５６", "", ""),
    ],
)
def test_wide_digits_come_with_wide_brackets_dots_and_hyphens(written: str, dial: str, extension: str) -> None:
    """Wide digits were read, but what stands between them on the same keyboard made it no number at all."""
    number = normalise(written)
    assert (number.dial, number.extension) == (dial, extension)


@pytest.mark.parametrize("written", ["09671234567", "849671234567", "+8409671234567", "0084 (0) 9671234567", "096712"])
def test_a_blocked_prefix_reaches_numbers_of_a_wrong_length_however_they_are_written(written: str) -> None:
    """Behind 84 and +840 a digit too many was enough to pass a blocked or excluded prefix."""
    setup = Setup(blocked=(Blocked(comparable_prefix("0967", "VN"), prefix=True),))
    assert normalise(written).kind is Kind.UNKNOWN
    assert is_blocked(setup, written, "outbound", 0)
    assert not is_blocked(setup, "84113", "outbound", 0), "a short code is no number behind a country code"
