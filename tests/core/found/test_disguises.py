"""Found: the exit code behind +84 left the country as a number nobody understands, for a carrier that drops the +84."""

from __future__ import annotations

import pytest

from controller.core.numbers import normalise
from controller.core.reach import kind_and_country, refusal
from controller.core.setup import Reach

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("dialled", "kind", "country"),
    [
        ("+84001 202 555 0123", "unknown", ""),
        ("84001 202 555 0123", "unknown", ""),
        ("0084 00 1 202 555 0123", "unknown", ""),
        ("+84 000 44 20 7946 0958", "unknown", ""),
        ("+84 00 881612345678", "satellite", ""),
        ("+84 84 00 1 202 555 0123", "unknown", ""),
        ("+84 00 1900 1234", "premium", "VN"),
        ("+84 84 1900 1234", "premium", "VN"),
        ("+84 00 171 1 202 555 0123", "unknown", ""),
    ],
)
def test_marks_of_home_hide_no_way_out(dialled: str, kind: str, country: str) -> None:
    number = normalise(dialled)
    assert kind_and_country(number, "VN") == (kind, country)
    assert refusal(Reach(), number, "VN")[0] in {"country", "number_kind"}


@pytest.mark.parametrize("dialled", ["+8484967123456", "096712345", "84113"])
def test_a_number_nobody_understands_at_home_is_still_dialled(dialled: str) -> None:
    assert refusal(Reach(), normalise(dialled), "VN") == ("", "")
