"""The table of ported numbers against a dictionary, its size, and the merging of lists."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import ported
from controller.core.ported import LISTS_MAX, SHIFT, PortedTable, key_of, merged, packed, place_of, unpacked, word_of

pytestmark = pytest.mark.pure

NUMBERS = st.integers(1, 10**15 - 1).map(lambda digits: f"+{digits}")
ROWS = st.lists(st.tuples(NUMBERS, st.sampled_from(["viettel", "mobifone", "vinaphone", ""])), max_size=60)


def build(rows: Iterable[tuple[str, str]]) -> PortedTable:
    """A whole table of (E.164, carrier) rows; of rows of one number the last counts."""
    places: dict[str, int] = {}
    found: dict[int, int] = {}
    for number, carrier in rows:
        key = key_of(number)
        assert key is not None
        found[key] = word_of(key, 0, place_of(carrier, places))
    words, size = sorted(found.values()), ported.BLOCK_ROWS
    table = PortedTable((word >> SHIFT for word in words[::size]), tuple(places), len(words))
    for n in range(table.blocks):
        table.put(n, packed(words[n * size : (n + 1) * size]))
    return table


@settings(max_examples=200, deadline=None)
@given(ROWS, ROWS, NUMBERS, st.integers(1, 7))
def test_it_answers_like_a_dictionary(
    rows: list[tuple[str, str]], again: list[tuple[str, str]], other: str, block: int
) -> None:
    whole = [*rows, *again, *((number, "gmobile") for number, _ in rows[::3])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ported, "BLOCK_ROWS", block)
        table = build(iter(whole))
    expected = dict(whole)
    assert len(table) == len(expected)
    assert table.missing == ()
    for number in [*expected, other]:
        assert table.find(number) == expected.get(number, "")


def test_an_empty_table() -> None:
    table = build([])
    assert (len(table), table.size_bytes, table.find("+84967123456"), table.blocks) == (0, 0, "", 0)


def test_a_row_takes_eight_bytes() -> None:
    table = build((f"+84{900_000_000 + n}", "viettel") for n in range(10_000))
    assert table.size_bytes == 8 * (10_000 + table.blocks)
    assert table.find("+84900009999") == "viettel"
    assert table.find("+84900010000") == ""


@pytest.mark.parametrize("number", ["", "+", "0967123456", "+84 967", "+0967123456", "+" + "1" * 16, "+８４"])
def test_what_is_no_e164_number_has_no_key_and_is_not_found(number: str) -> None:
    assert key_of(number) is None
    assert build([("+84967123456", "viettel")]).find(number) == ""


def test_more_carriers_than_a_byte_can_name_are_refused() -> None:
    rows = [(f"+{n + 1}", f"carrier-{n}") for n in range(ported.CARRIERS_MAX)]
    assert build(rows).find("+256") == "carrier-255"
    with pytest.raises(ValueError, match="more than 256"):
        build([*rows, ("+999", "one-too-many")])


def test_a_block_that_is_not_here_yet_is_told_from_a_number_that_is_in_none() -> None:
    table = PortedTable([1_000, 2_000], ["viettel"], 3)
    assert table.find("+999") == ""
    assert table.find("+1000") is None
    assert (table.block_of("+1999"), table.block_of("+2000"), table.missing) == (0, 1, (0, 1))
    table.put(1, packed([word_of(2_000, 0, 0)]))
    assert (table.find("+2000"), table.find("+2001"), table.find("+1000")) == ("viettel", "", None)


@pytest.mark.parametrize(
    "block",
    [b"", b"x", packed([word_of(2_001, 0, 0)]), packed([word_of(2_000, 0, 1)])],
    ids=["empty", "torn", "another first number", "a carrier nobody named"],
)
def test_a_block_that_does_not_belong_here_is_refused(block: bytes) -> None:
    table = PortedTable([2_000], ["viettel"], 1)
    with pytest.raises(ValueError, match="block"):
        table.put(0, block)
    assert table.find("+2000") is None


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_blocks_read_the_same_on_every_machine(words: list[int]) -> None:
    assert packed(words) == b"".join(word.to_bytes(8, "little") for word in words)
    assert list(unpacked(packed(words))) == words
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ported, "_LOWEST_FIRST", not ported._LOWEST_FIRST)
        assert packed(words) == b"".join(word.to_bytes(8, "big") for word in words)
        assert list(unpacked(packed(words))) == words


def test_the_largest_number_fits_a_word() -> None:
    assert key_of("+" + "9" * 15) == 10**15 - 1
    word = word_of(10**15 - 1, LISTS_MAX - 1, ported.CARRIERS_MAX - 1)
    assert word < 2**64
    assert (word >> SHIFT, word >> ported.CARRIER_BITS & 63, word & 255) == (10**15 - 1, 63, 255)


ROW = st.tuples(st.integers(1, 40), st.integers(0, 3))
LISTS = st.lists(st.lists(ROW, max_size=30), max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 2), st.integers(0, 3)), max_size=40), LISTS)
def test_merging_is_what_a_dictionary_would_do(
    old: list[tuple[int, int, int]], runs: list[list[tuple[int, int]]]
) -> None:
    place = 1
    rows = {number: (where, carrier) for number, where, carrier in old}
    expected = {number: row for number, row in rows.items() if row[0] != place}
    new = {number: (place, carrier) for run in runs for number, carrier in run}
    gone = sum(1 for number, (where, _) in rows.items() if where == place and number not in new)
    words = [sorted(word_of(n, place, c) for n, c in dict(run).items()) for run in runs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ported, "SAMPLE_ROWS", 2)
        patch.setattr(ported, "STRETCH_SAMPLES", 2)
        stretches = list(merged(sorted(word_of(n, w, c) for n, (w, c) in rows.items()), place, words))
    flat = [word for stretch in stretches for word in stretch.words]
    assert flat == sorted(word_of(n, w, c) for n, (w, c) in (expected | new).items())
    assert sum(stretch.gone for stretch in stretches) == gone
    assert sum(stretch.taken for stretch in stretches) == len(rows) + sum(map(len, words))


def test_a_stretch_stays_small_however_many_lists_there_are() -> None:
    runs = [sorted(word_of(n * 7 + run, 0, 0) for n in range(20_000)) for run in range(3)]
    sizes = [len(stretch.words) for stretch in merged([], 1, runs)]
    assert sum(sizes) == 60_000
    assert max(sizes) <= ported.SAMPLE_ROWS * (ported.STRETCH_SAMPLES + len(runs) + 1)
    assert len(sizes) > 1 or ported.SAMPLE_ROWS * ported.STRETCH_SAMPLES > 60_000
