"""Subscribers who changed operator, millions of them, in little memory.

One sorted array of 64-bit words: the number in the upper bits, the carrier's place in a list of names in the lower
eight. That is 8 bytes a row, and a look-up is a binary search of 24 steps at 10 million rows.
"""

from __future__ import annotations

import heapq
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

CARRIERS_MAX = 256
RUN_ROWS = 65_536
"""Rows sorted at a time while building; bounds what building needs beside the table itself."""

_CARRIER_BITS = 8
_DIGITS = re.compile(r"[1-9][0-9]{0,14}")


class PortedTable:
    """Carrier by E.164 number. Never changed after `build`: a new import builds a new table and takes its place."""

    __slots__ = ("_carriers", "_words")

    def __init__(self, words: array[int], carriers: tuple[str, ...]) -> None:
        self._words = words
        self._carriers = carriers

    @classmethod
    def build(cls, rows: Iterable[tuple[str, str]]) -> PortedTable:
        """Make a table of (E.164 number with `+`, carrier) rows; of rows of one number the last counts.

        ValueError for a number that is not `+` and at most 15 digits, and for more than 256 carriers.
        """
        places: dict[str, int] = {}
        runs = list(_runs(rows, places))
        words = array("Q")
        for word in heapq.merge(*runs, key=_number_of):
            # Runs come in the order of the rows and merging is stable, so a later row of the same number follows.
            if words and words[-1] >> _CARRIER_BITS == word >> _CARRIER_BITS:
                words[-1] = word
            else:
                words.append(word)
        return cls(words, tuple(places))

    def find(self, e164: str) -> str:
        """The carrier of a number, empty when it is not in the table."""
        key = _key(e164)
        if key is None:
            return ""
        at = bisect_left(self._words, key << _CARRIER_BITS)
        if at == len(self._words) or self._words[at] >> _CARRIER_BITS != key:
            return ""
        return self._carriers[self._words[at] & (CARRIERS_MAX - 1)]

    def __len__(self) -> int:
        return len(self._words)

    @property
    def size_bytes(self) -> int:
        """Memory of the rows."""
        return len(self._words) * self._words.itemsize


def _runs(rows: Iterable[tuple[str, str]], places: dict[str, int]) -> Iterator[array[int]]:
    """Cut the rows into sorted runs, giving each carrier its place as it is met."""
    run: list[int] = []
    for number, carrier in rows:
        key = _key(number)
        if key is None:
            raise ValueError(f"not an E.164 number: {number[:20]!r}")
        place = places.setdefault(carrier, len(places))
        if place >= CARRIERS_MAX:
            raise ValueError(f"more than {CARRIERS_MAX} carriers in one table")
        run.append(key << _CARRIER_BITS | place)
        if len(run) == RUN_ROWS:
            yield _sorted(run)
            run = []
    yield _sorted(run)


def _sorted(run: list[int]) -> array[int]:
    run.sort(key=_number_of)
    return array("Q", run)


def _number_of(word: int) -> int:
    return word >> _CARRIER_BITS


def _key(e164: str) -> int | None:
    digits = e164[1:]
    return int(digits) if e164.startswith("+") and _DIGITS.fullmatch(digits) else None
