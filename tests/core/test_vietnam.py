"""The plan itself: forms and lengths, beside what `test_numbers` shows through the whole reader."""

from __future__ import annotations

import phonenumbers
import pytest

from controller.core import vietnam
from tests.core.vietnamese_numbers import AREAS, MOBILE, renumbered

pytestmark = pytest.mark.pure


def test_the_change_of_2018_is_the_published_one() -> None:
    assert {f"0{old}": f"0{new}" for old, new in vietnam.OLD_MOBILE.items()} == renumbered()


@pytest.mark.parametrize("prefix", [prefix for prefixes in MOBILE.values() for prefix in prefixes.split()])
def test_the_library_agrees_where_it_knows_the_prefix(prefix: str) -> None:
    national = prefix + "9123456"[: 10 - len(prefix)]
    by_library = phonenumbers.parse(national, "VN")
    e164 = phonenumbers.format_number(by_library, phonenumbers.PhoneNumberFormat.E164)
    assert vietnam.split(national) == ("mobile", e164, national)


@pytest.mark.parametrize("area", AREAS.split())
def test_the_library_knows_every_area(area: str) -> None:
    national = area + "39361234"[: 11 - len(area)]
    assert phonenumbers.number_type(phonenumbers.parse(national, "VN")) == phonenumbers.PhoneNumberType.FIXED_LINE
    found = vietnam.split(national)
    assert found
    assert found[0] == "landline"


@pytest.mark.parametrize(
    "digits", ["", "0", "+84", "84", "0084", "+", "+841", "00", "000000", "01800123456", "+0967123456"]
)
def test_what_has_no_vietnamese_form(digits: str) -> None:
    assert vietnam.split(digits) is None


@pytest.mark.parametrize(
    ("prefix", "home"),
    [
        ("+8490", "090"),
        ("0084090", "090"),
        ("8490", "090"),
        ("01201", "0701"),
        ("841900", "1900"),
        ("198", "198"),
        ("+1", "+1"),
    ],
)
def test_prefixes_as_dialled_at_home(prefix: str, home: str) -> None:
    assert vietnam.home_prefix(prefix) == home
