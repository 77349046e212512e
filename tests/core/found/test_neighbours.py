"""Found: whoever shares our country code was at home, so a stolen phone in the United States could call Jamaica."""

from __future__ import annotations

import pytest

from controller.core.numbers import normalise
from controller.core.reach import kind_and_country, refusal
from controller.core.setup import Reach

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("home", "dialled", "country"),
    [
        ("US", "4155552671", "US"),
        ("US", "8765551234", "JM"),
        ("US", "+1 809 220 1234", "DO"),
        ("US", "1 416 555 0123", "CA"),
        ("US", "8002345678", "US"),
        ("CA", "8002345678", "CA"),
        ("CA", "4165550123", "CA"),
        ("RU", "89161234567", "RU"),
        ("RU", "87012345678", "KZ"),
        ("KZ", "87012345678", "KZ"),
        ("GB", "07400123456", "GB"),
        ("GB", "07911123456", "GG"),
        ("VN", "0967123456", "VN"),
        ("VN", "1800123456", "VN"),
    ],
)
def test_a_neighbour_with_our_country_code_is_abroad(home: str, dialled: str, country: str) -> None:
    number = normalise(dialled, home)
    assert kind_and_country(number, home)[1] == country
    assert refusal(Reach(), number, home)[0] == ("" if country == home else "country")
    assert refusal(Reach(countries=(country,)), number, home)[0] == ""
