"""A file of ported numbers, ten million lines of it, read into sorted words that wait on disk.

Nearly every line of such a file is a plain mobile number and a carrier that was met before: those are read in about a
microsecond, on the bytes. Everything else takes the way every other list takes (`store.number_files`), so there is
one meaning of a line and two speeds; a test compares them.
"""

from __future__ import annotations

import mmap
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from controller.core.ported import CARRIERS_MAX, SHIFT, TAG_BITS, WORD_BYTES, Words, place_of, word_of
from controller.core.saying import say
from controller.core.vietnam import MOBILE_FIRST
from controller.errors import LedgerError
from controller.store.number_files import CsvFile, LineError, Report, ported_row

RUN_ROWS: Final = 262_144
"""Rows sorted at a time: some 50 MB while it lasts, whatever the length of the file."""
NEEDED: Final = ("number", "carrier")
_HOME: Final = 84_000_000_000
_NATIONAL: Final = frozenset(f"0{digit}".encode() for digit in MOBILE_FIRST)
_ABROAD: Final = frozenset(f"84{digit}".encode() for digit in MOBILE_FIRST)
_NATIONAL_DIGITS: Final = 10


class Spill:
    """Words that wait on disk, in runs, in a file that is gone when this is closed."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="tongdai-")  # noqa: SIM115 - this is the context manager
        self._ends: list[int] = []
        self._map: mmap.mmap | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, words: Words) -> None:
        """Write words; LedgerError when there is no room for them."""
        try:
            self._file.write(memoryview(words) if isinstance(words, memoryview) else array("Q", words))
        except OSError as error:
            raise LedgerError(f"no room for the numbers while they are sorted: {error.strerror}") from error

    @property
    def rows(self) -> int:
        """How many words there are in all runs."""
        return self._ends[-1] if self._ends else 0

    def end_run(self) -> None:
        """What was written since the last end is one sorted run."""
        self._ends.append(self._file.tell() // WORD_BYTES)

    def runs(self) -> list[Words]:
        """Every run, read from disk as it is looked at."""
        try:
            self._file.flush()
        except OSError as error:
            raise LedgerError(f"no room for the numbers while they are sorted: {error.strerror}") from error
        if not self.rows:
            return [array("Q")]
        self._map = mmap.mmap(self._file.fileno(), 0, prot=mmap.PROT_READ)
        view = memoryview(self._map).cast("Q")
        return [view[begin:end] for begin, end in zip([0, *self._ends], self._ends, strict=False)]

    def let_go(self) -> None:
        """Take no memory for what was looked at so far; it is on disk, and is read again when it is looked at again."""
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)


@dataclass(slots=True)
class Reading:
    """What is needed to read one file, and what has been found in it so far.

    `places` maps names of carriers to their places in the table, and grows. `place` is the list's own. `progress` is
    told the bytes that are read, and how many there are.
    """

    path: Path
    country: str
    carriers: Mapping[str, str] | None
    places: dict[str, int]
    place: int
    report: Report = field(default_factory=Report)
    progress: Callable[[int, int], None] | None = None

    @property
    def file_bytes(self) -> int:
        """How long the file is; 0 when nobody can tell, as of a pipe."""
        return self.path.stat().st_size if self.path.is_file() else 0


def collect(reading: Reading, spill: Spill) -> None:
    """Read the whole file into runs; the mistakes are in `reading.report`. SetupError when it cannot be read."""
    table = CsvFile(reading.path, reading.report)
    run: dict[int, int] = {}
    for word in _words(table, reading):
        run[word >> SHIFT] = word
        if len(run) == RUN_ROWS:
            _spill(run, spill)
    _spill(run, spill)
    table.finish()


def _words(table: CsvFile, reading: Reading) -> Iterator[int]:
    """Yield every line that can be used as a word."""
    known: dict[bytes, int] = {}
    for first, lines in _told(table.chunks(), reading):
        begin = 0
        while begin < len(lines) and not table.columns:
            if (fields := table.fields(first + begin, lines[begin])) and not table.heads(first + begin, fields, NEEDED):
                return
            begin += 1
        yield from _quickly(table, reading, first + begin, _unended(lines[begin:]), known)


def _quickly(
    table: CsvFile, reading: Reading, first: int, lines: list[bytes], known: dict[bytes, int]
) -> Iterator[int]:
    """Yield words of some lines; `known` are the carriers met in plain lines, as bytes, with the tag of the list."""
    if not lines:
        return
    separator, vietnamese = table.separator.encode(), reading.country == "VN"
    number_at, carrier_at, width = table.columns.index("number"), table.columns.index("carrier"), len(table.columns)
    slow = 0
    for line, raw in enumerate(lines, first):
        fields = raw.split(separator)
        number = plain(fields[number_at]) if vietnamese and len(fields) == width else 0
        if number and (rest := known.get(fields[carrier_at])) is not None and raw.isascii() and b'"' not in raw:
            yield number << SHIFT | rest
            continue
        slow += 1
        word = _slowly(table, reading, line, raw)
        if word:
            if number:
                known[fields[carrier_at]] = word & TAG_BITS
            yield word
    reading.report.rows += len(lines) - slow


def _unended(lines: list[bytes]) -> list[bytes]:
    """Lines of a file that ends them with CR and LF, without the CR."""
    return [raw.rstrip(b"\r") for raw in lines] if lines and lines[0].endswith(b"\r") else lines


def _told(chunks: Iterator[tuple[int, list[bytes]]], reading: Reading) -> Iterator[tuple[int, list[bytes]]]:
    """Pass lines on, and tell how far the file is read."""
    whole, done = reading.file_bytes, 0
    for first, lines in chunks:
        yield first, lines
        done += sum(map(len, lines)) + len(lines)
        if reading.progress is not None:
            reading.progress(min(done, whole), whole)


def plain(digits: bytes) -> int:
    """E.164 without the plus of a Vietnamese mobile number written as digits in one of the two usual ways; else 0."""
    if len(digits) == _NATIONAL_DIGITS and digits[:2] in _NATIONAL and digits.isdigit():
        return _HOME + int(digits)
    if len(digits) == _NATIONAL_DIGITS + 1 and digits[:3] in _ABROAD and digits.isdigit():
        return int(digits)
    return 0


def _slowly(table: CsvFile, reading: Reading, line: int, raw: bytes) -> int:
    """Read a line as every list is read, into a word; 0 when it is empty or wrong."""
    fields = table.fields(line, raw)
    if not fields:
        return 0
    try:
        number, carrier = ported_row(table.columns_of(fields), reading.country, reading.carriers)
        place = place_of(carrier, reading.places)
    except (LineError, ValueError) as error:
        table.wrong(line, error.said if isinstance(error, LineError) else say("too_many_carriers", most=CARRIERS_MAX))
        return 0
    reading.report.rows += 1
    return word_of(number, reading.place, place)


def _spill(run: dict[int, int], spill: Spill) -> None:
    if run:
        spill.add(array("Q", sorted(run.values())))
        spill.end_run()
        run.clear()
