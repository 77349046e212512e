"""Our number as each carrier wants it."""

from __future__ import annotations

import pytest

from controller.core.callerid import shown
from controller.core.setup import Trunk

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("number", "country", "form", "text"),
    [
        ("+842473001001", "VN", "e164", "+842473001001"),
        ("+842473001001", "VN", "plain", "842473001001"),
        ("+842473001001", "VN", "national", "02473001001"),
        ("+84901001001", "VN", "national", "0901001001"),
        ("19001001", "VN", "national", "19001001"),
        ("19001001", "VN", "plain", "19001001"),
        ("+14155552671", "US", "plain", "14155552671"),
        ("+14155552671", "VN", "national", "+14155552671"),
    ],
)
def test_every_form(number: str, country: str, form: str, text: str) -> None:
    assert shown(number, Trunk("t", caller_id=form), country) == text
