"""The table of ported numbers against a dictionary, and its size."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import ported
from controller.core.ported import PortedTable

pytestmark = pytest.mark.pure

NUMBERS = st.integers(1, 10**15 - 1).map(lambda digits: f"+{digits}")
ROWS = st.lists(st.tuples(NUMBERS, st.sampled_from(["viettel", "mobifone", "vinaphone", ""])), max_size=60)


@settings(max_examples=200, deadline=None)
@given(ROWS, ROWS, NUMBERS, st.integers(1, 7))
def test_it_answers_like_a_dictionary(
    rows: list[tuple[str, str]], again: list[tuple[str, str]], other: str, run: int
) -> None:
    whole = [*rows, *again, *((number, "gmobile") for number, _ in rows[::3])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ported, "RUN_ROWS", run)
        table = PortedTable.build(iter(whole))
    expected = dict(whole)
    assert len(table) == len(expected)
    for number in [*expected, other]:
        assert table.find(number) == expected.get(number, "")


def test_an_empty_table() -> None:
    table = PortedTable.build([])
    assert (len(table), table.size_bytes, table.find("+84967123456")) == (0, 0, "")


def test_a_row_takes_eight_bytes() -> None:
    table = PortedTable.build((f"+84{900_000_000 + n}", "viettel") for n in range(10_000))
    assert table.size_bytes == 8 * 10_000
    assert table.find("+84900009999") == "viettel"
    assert table.find("+84900010000") == ""


@pytest.mark.parametrize("number", ["", "+", "0967123456", "+84 967", "+0967123456", "+" + "1" * 16, "+８４"])
def test_what_is_no_e164_number_is_refused_when_building_and_not_found_when_asked(number: str) -> None:
    with pytest.raises(ValueError, match=r"E\.164"):
        PortedTable.build([(number, "viettel")])
    assert PortedTable.build([("+84967123456", "viettel")]).find(number) == ""


def test_more_carriers_than_a_byte_can_name_are_refused() -> None:
    rows = [(f"+{n + 1}", f"carrier-{n}") for n in range(ported.CARRIERS_MAX)]
    assert PortedTable.build(rows).find("+256") == "carrier-255"
    with pytest.raises(ValueError, match="more than 256"):
        PortedTable.build([*rows, ("+999", "one-too-many")])
