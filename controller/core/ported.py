"""Subscribers who changed operator, millions of them, in little memory.

A row is one 64-bit word: the number in the upper 50 bits (E.164 has at most 15 digits), then six bits for the list the
row came from, then eight for the carrier's place in a list of names. Sorted words are cut into blocks; a block is what
the books store, what is read in one go, and what may still be missing while a table of ten million rows is coming in
behind calls that are already being made. That is 8 bytes a row, and a look-up is two binary searches: 11 steps to the
block, 13 in it.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

CARRIER_BITS = 8
LIST_BITS = 6
SHIFT = CARRIER_BITS + LIST_BITS
TAG_BITS = (1 << SHIFT) - 1
"""The part of a word that is not the number."""
CARRIERS_MAX = 1 << CARRIER_BITS
LISTS_MAX = 1 << LIST_BITS
BLOCK_ROWS = 8_192
"""64 KiB: small enough to be fetched for one call, large enough that ten million rows are a short list of blocks."""
WORD_BYTES = 8
SAMPLE_ROWS = 4_096
STRETCH_SAMPLES = 16
"""Rows looked at together while merging: about this many samples' worth, whatever the length of the lists."""

_LOWEST_FIRST = array("H", (1,)).tobytes()[0] == 1
"""Whether this machine keeps the lowest byte of a word first, as the books do."""
_DIGITS = re.compile(r"[1-9][0-9]{0,14}")

Words = Sequence[int]


class Stretch(NamedTuple):
    """A part of a merge: sorted words, rows of the list's last run that are gone, and words it was made of."""

    words: list[int]
    gone: int
    taken: int


def word_of(number: int, place: int, carrier: int) -> int:
    """One row as a word; `place` is its list's, `carrier` its carrier's."""
    return number << SHIFT | place << CARRIER_BITS | carrier


def key_of(e164: str) -> int | None:
    """The digits of a number in E.164 as a number; None when it is written in any other way."""
    digits = e164[1:]
    return int(digits) if e164.startswith("+") and _DIGITS.fullmatch(digits) else None


def packed(words: Iterable[int]) -> bytes:
    """Words as the books store them: eight bytes each, the lowest first."""
    found = array("Q", words)
    if not _LOWEST_FIRST:
        found.byteswap()
    return found.tobytes()


def unpacked(block: bytes) -> Words:
    """The words of a stored block, without copying where the machine allows; ValueError when it is cut short."""
    if len(block) % WORD_BYTES:
        raise ValueError("a block of ported numbers is not whole")
    if _LOWEST_FIRST:
        return memoryview(block).cast("Q")
    found = array("Q")
    found.frombytes(block)
    found.byteswap()
    return found


class PortedTable:
    """Carrier by number, in blocks. A new import makes a new table that takes this one's place."""

    __slots__ = ("_blocks", "_carriers", "_firsts", "_rows")

    def __init__(self, firsts: Iterable[int], carriers: Sequence[str], rows: int) -> None:
        """Begin a table whose blocks start with the numbers `firsts`; none of them is here yet."""
        self._firsts = array("Q", firsts)
        self._blocks: list[Words | None] = [None] * len(self._firsts)
        self._carriers = tuple(carriers)
        self._rows = rows

    def find(self, e164: str) -> str | None:
        """The carrier of a number, empty when it is not in the table; None when its block is not here yet."""
        n = self.block_of(e164)
        if n is None:
            return ""
        words = self._blocks[n]
        key = key_of(e164)
        if words is None or key is None:
            return None
        at = bisect_left(words, key << SHIFT)
        if at == len(words) or words[at] >> SHIFT != key:
            return ""
        return self._carriers[words[at] & (CARRIERS_MAX - 1)]

    def block_of(self, e164: str) -> int | None:
        """Which block a number would stand in; None when it can be in none."""
        key = key_of(e164)
        at = 0 if key is None else bisect_right(self._firsts, key)
        return at - 1 if at else None

    def put(self, n: int, block: bytes) -> None:
        """Take a block in, as `packed` made it; ValueError when it is not whole or not the one that belongs here."""
        words = unpacked(block)
        if not words or words[0] >> SHIFT != self._firsts[n] or words[-1] & (CARRIERS_MAX - 1) >= len(self._carriers):
            raise ValueError(f"block {n} of the ported numbers is not what the index says")
        self._blocks[n] = words

    @property
    def blocks(self) -> int:
        """How many blocks there are, here or not."""
        return len(self._blocks)

    @property
    def missing(self) -> tuple[int, ...]:
        """The blocks that are not here yet."""
        return tuple(n for n, words in enumerate(self._blocks) if words is None)

    def __len__(self) -> int:
        return self._rows

    @property
    def size_bytes(self) -> int:
        """Memory of the rows that are here, and of the index."""
        here = sum(len(words) for words in self._blocks if words is not None)
        return (here + len(self._firsts)) * WORD_BYTES


def place_of(carrier: str, places: dict[str, int]) -> int:
    """The place of a carrier in the list of names, a new one for a new name; ValueError when the list is full."""
    place = places.setdefault(carrier, len(places))
    if place >= CARRIERS_MAX:
        del places[carrier]
        raise ValueError(f"more than {CARRIERS_MAX} carriers in one table")
    return place


def merged(old: Words, place: int, runs: Sequence[Words]) -> Iterator[Stretch]:
    """A list takes the place of what it brought before: yield sorted words, a stretch at a time.

    `old` are the words in force, sorted; those of the list at `place` go. `runs` are sorted words of the new list; of
    a number in several, the last run counts, and new words win over old ones of other lists. Every stretch holds
    whole numbers, so what is yielded, one after the other, is sorted and has each number once.
    """
    everything = (old, *runs)
    at = [0] * len(everything)
    for bound in (*_bounds(everything), None):
        ends = [
            len(run) if bound is None else bisect_left(run, bound, lo) for run, lo in zip(everything, at, strict=True)
        ]
        before, *new = (run[lo:end] for run, lo, end in zip(everything, at, ends, strict=True))
        yield _stretch(before, place, new)
        at = ends


def _stretch(before: Words, place: int, new: list[Words]) -> Stretch:
    fresh = {word >> SHIFT: word for word in chain.from_iterable(new)}
    kept = {word >> SHIFT: word for word in before if word >> CARRIER_BITS & (LISTS_MAX - 1) != place}
    gone = 0
    if len(kept) < len(before):
        own = (word >> SHIFT for word in before if word >> CARRIER_BITS & (LISTS_MAX - 1) == place)
        gone = sum(1 for number in own if number not in fresh)
    return Stretch(sorted((kept | fresh).values()), gone, len(before) + sum(map(len, new)))


def _bounds(runs: Sequence[Words]) -> list[int]:
    """Words that cut every run so that the parts between two of them are small together."""
    samples = sorted(word >> SHIFT << SHIFT for run in runs for word in run[::SAMPLE_ROWS])
    return list(dict.fromkeys(samples[STRETCH_SAMPLES::STRETCH_SAMPLES]))
