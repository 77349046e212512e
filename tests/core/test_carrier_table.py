"""The shipped table of Vietnamese operators, beside an independent list and the library's own data."""

from __future__ import annotations

from datetime import date

import phonenumbers
import pytest
from phonenumbers import carrier as library

from controller.carrier_file import shipped
from controller.core.numbers import carrier_of, normalise
from controller.core.setup import Setup
from tests.core.vietnamese_numbers import carrier_by_prefix

pytestmark = pytest.mark.pure

VN = shipped("VN")
SETUP = Setup(carriers=VN.carriers)


def test_the_table_is_the_independent_one() -> None:
    assert SETUP.prefix_owner == carrier_by_prefix()


def test_it_says_when_and_where_it_comes_from() -> None:
    assert date.fromisoformat(VN.source.version) >= date(2026, 1, 1)
    assert VN.source.origin == "shipped"
    assert any("libphonenumber" in source for source in VN.source.sources)


def test_no_prefix_stands_twice() -> None:
    prefixes = [prefix for row in VN.carriers for prefix in row.prefixes]
    assert len(prefixes) == len(set(prefixes))


@pytest.mark.parametrize("decade", range(30, 100))
def test_the_library_says_the_same_except_where_it_is_known_to_be_wrong(decade: int) -> None:
    for prefix in (f"0{decade}{digit}" for digit in range(10)):
        national = f"{prefix}123456"
        name = library.name_for_number(phonenumbers.parse(national, "VN"), "en")
        ours = carrier_of(normalise(national), SETUP)[0]
        if decade == 87:
            # 087 was given to iTel; the library names the host network.
            assert (name, ours) == ("Vinaphone", "itel")
        elif name:
            assert ours == SETUP.carrier_spelling[name.casefold()]


def test_virtual_operators_count_as_on_the_network_they_use() -> None:
    assert SETUP.network("itel") == SETUP.network("wintel") == SETUP.network("vinaphone") == "vinaphone"
    assert {SETUP.network(name) for name in ("local", "vnsky", "fpt")} == {"mobifone"}
    assert SETUP.network("viettel") != SETUP.network("mobifone")
    assert SETUP.network("nobody we know") == "nobody we know"
