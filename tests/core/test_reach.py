"""What sort of number a callee's is, and whether somebody may call there."""

from __future__ import annotations

import pytest

from controller.core.numbers import normalise
from controller.core.reach import kind_and_country, refusal
from controller.core.setup import NUMBER_KINDS, Reach

pytestmark = pytest.mark.pure

EVERYWHERE = Reach(countries=None, kinds=NUMBER_KINDS)


@pytest.mark.parametrize(
    ("dialled", "kind", "country", "reason"),
    [
        ("0967123456", "mobile", "VN", ""),
        ("02439361234", "landline", "VN", ""),
        ("18001234", "toll_free", "VN", ""),
        ("19001234", "premium", "VN", "number_kind"),
        ("198", "short", "VN", ""),
        ("046123", "unknown", "VN", ""),
        ("967123456", "unknown", "VN", ""),
        ("+14155552671", "landline", "US", "country"),
        ("0018095551234", "landline", "DO", "country"),
        ("+8562077123456", "mobile", "LA", "country"),
        ("+447011234567", "premium", "GB", "number_kind"),
        ("+979123456789", "premium", "001", "number_kind"),
        ("0088216123456", "satellite", "001", "number_kind"),
        ("+870773123456", "satellite", "001", "number_kind"),
        ("00881612345678", "satellite", "001", "number_kind"),
        ("+80012345678", "toll_free", "001", "country"),
        ("00999123", "unknown", "", "country"),
        ("0088199", "satellite", "", "number_kind"),
        ("17100442071234567", "unknown", "", "country"),
        ("11300442071234", "unknown", "", "country"),
        ("+84113", "unknown", "VN", ""),
        ("019001234", "premium", "VN", "number_kind"),
        ("1900123", "premium", "VN", "number_kind"),
        ("+8419001234567", "premium", "VN", "number_kind"),
        ("0084 0 1900 1234", "premium", "VN", "number_kind"),
        ("+84171004420712345", "unknown", "", "country"),
        ("017100442071234567", "unknown", "", "country"),
        ("84178004420712345", "unknown", "", "country"),
        ("17100881612345678", "satellite", "", "number_kind"),
        ("0178008816123456", "satellite", "", "number_kind"),
        ("0171", "unknown", "VN", ""),
    ],
)
def test_a_number_is_of_a_kind_and_a_country(dialled: str, kind: str, country: str, reason: str) -> None:
    number = normalise(dialled)
    found = kind_and_country(number, "VN")
    assert (found[0], found[1]) == (kind, country)
    said, words = refusal(Reach(), number, "VN")
    assert said == reason
    assert bool(words) == bool(reason)
    assert refusal(EVERYWHERE, number, "VN") == ("", "")


def test_a_country_that_is_opened_opens_no_premium_numbers_there() -> None:
    reach = Reach(countries=("GB",))
    assert refusal(reach, normalise("+442071234567"), "VN") == ("", "")
    assert refusal(reach, normalise("+447011234567"), "VN")[0] == "number_kind"
    assert "only calls inside VN, GB are open" in refusal(reach, normalise("+14155552671"), "VN")[1]


def test_another_home_has_another_way_out() -> None:
    assert kind_and_country(normalise("011442071234567", "US"), "US") == ("landline", "GB")
    assert refusal(Reach(), normalise("4155552671", "US"), "US") == ("", "")
    assert refusal(Reach(), normalise("9005550100", "US"), "US")[0] == "number_kind"
    assert refusal(Reach(), normalise("+84967123456", "US"), "US")[0] == "country"
