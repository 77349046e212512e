"""Numbers that a search found to be read wrongly."""

from __future__ import annotations

import pytest

from controller.core.numbers import Kind, clean, normalise

pytestmark = pytest.mark.pure


def test_a_foreign_number_too_long_to_be_read_back_is_unknown() -> None:
    """Fuzz Z6: 19 digits that the library holds for possible; with 00 in front of them nobody could dial them."""
    number = normalise("+62 1231095586623 6988")
    assert (number.kind, number.e164) == (Kind.UNKNOWN, "")
    assert clean(number.dial) == number.dial
    assert normalise(number.dial) == number
