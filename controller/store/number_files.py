"""CSV files of ported and blocked numbers, read a line at a time: memory does not grow with the file.

The first line names the columns; other columns are passed over, because operators' lists have many. `ported` files
have `number` and `carrier`; `blocked` files `number` and, where wanted, `scopes` (words with spaces between), `prefix`
(yes or no) and `until` (ISO 8601, local time unless it says otherwise). Comma, semicolon and tab separate.
Files are UTF-8.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping

from controller.core import numbers
from controller.core.saying import Saying, say
from controller.core.setup import Blocked
from controller.errors import SetupError

LINE_MAX: Final = 4_096
"""Bytes of one line; longer ones are no list of numbers."""
CHUNK_BYTES: Final = 256 * 1024
PROBLEMS_MAX: Final = 20
"""Mistakes told one by one; the rest are counted."""
SCOPES: Final = ("ivr", "queue", "outbound")
_WORDS: Final = {"": False, "no": False, "false": False, "0": False, "yes": True, "true": True, "1": True}

Columns = Mapping[str, str]
Values = dict[str, Any]


@dataclass(slots=True)
class Report:
    """What a reading found: good rows, and mistakes with file, line and column."""

    rows: int = 0
    problems: list[Saying] = field(default_factory=list)
    more: int = 0
    useless: bool = False

    def add(self, problem: Saying) -> None:
        """Note a mistake."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)
        else:
            self.more += 1

    def give_up(self, problem: Saying) -> None:
        """Note a mistake after which nothing in the file can be believed."""
        self.useless = True
        self.add(problem)

    @property
    def bad(self) -> int:
        """How many lines could not be used."""
        return len(self.problems) + self.more

    def check(self, *, skip_bad: bool = False) -> None:
        """Raise SetupError with every mistake when there is one; `skip_bad` forgives lines, not a useless file."""
        if self.problems and not (skip_bad and not self.useless):
            rest = (say("and_more", n=self.more),) if self.more else ()
            raise SetupError((*self.problems, *rest))


class LineError(ValueError):
    """A line, or a column of it, that cannot be used; the saying names the column first."""

    def __init__(self, said: Saying) -> None:
        super().__init__(str(said))
        self.said = said


def ported_row(columns: Columns, country: str, carriers: Mapping[str, str] | None) -> tuple[int, str]:
    """Read a ported number and its carrier; `carriers` are known spellings in small letters, None to take any."""
    number = numbers.normalise(columns["number"], country).e164
    if not number:
        raise LineError(say("number_none", value=repr(columns["number"][:20])))
    carrier = columns["carrier"].strip()
    if carriers is not None:
        if carrier.casefold() not in carriers:
            raise LineError(say("carrier_unknown", value=repr(carrier[:40])))
        carrier = carriers[carrier.casefold()]
    if not carrier:
        raise LineError(say("carrier_empty"))
    return int(number[1:]), carrier


def blocked_row(
    columns: Columns, country: str, _carriers: Mapping[str, str] | None = None, timezone: str = "UTC"
) -> Values:
    """Read a blocked number or prefix, spelled as `core.numbers` compares them."""
    prefix = _flag(columns.get("prefix", ""))
    typed = columns["number"]
    spelled = (
        numbers.comparable_prefix(typed, country)
        if prefix
        else numbers.comparable(numbers.normalise(typed, country), country)
    )
    if spelled in {"", "+"}:
        raise LineError(say("number_none", value=repr(typed[:20])))
    scopes = tuple(dict.fromkeys(columns.get("scopes", "").split())) or SCOPES
    for scope in scopes:
        if scope not in SCOPES:
            raise LineError(say("scope_unknown", value=repr(scope[:20]), allowed=", ".join(SCOPES)))
    return {
        "number": spelled,
        "prefix": prefix,
        "scopes": ",".join(scopes),
        "until_ms": _until_ms(columns.get("until", "").strip(), timezone),
    }


def blocked_of(row: RowMapping) -> Blocked:
    """Turn an imported row into what the setup holds."""
    return Blocked(row["number"], tuple(row["scopes"].split(",")), bool(row["prefix"]), row["until_ms"])


ReadRow = Callable[[Columns, str, Mapping[str, str] | None], Values]


def read(
    path: Path,
    needed: tuple[str, ...],
    read_row: ReadRow,
    country: str,
    carriers: Mapping[str, str] | None,
    report: Report,
) -> Iterator[Values]:
    """Yield the good rows of a file and note the mistakes in `report`; SetupError when it cannot be read at all."""
    table = CsvFile(path, report)
    for line, fields in table.lines():
        heads = table.heads(line, fields, needed) if not table.columns else ()
        if heads is None:
            return
        if heads:
            continue
        try:
            values = read_row(table.columns_of(fields), country, carriers)
        except LineError as error:
            table.wrong(line, error.said)
            continue
        report.rows += 1
        yield values
    table.finish()


class CsvFile:
    """One file of numbers while it is read: its separator, its columns, and the mistakes with their lines."""

    def __init__(self, path: Path, report: Report) -> None:
        self.path = path
        self.report = report
        self.columns: tuple[str, ...] = ()
        self.separator = ""

    def wrong(self, line: int, problem: Saying | str) -> None:
        """Note what is wrong with a line."""
        self.report.add(self._at(line, problem))

    def _at(self, line: int, problem: Saying | str) -> Saying:
        return say("at_line", file=self.path.name, line=line, what=problem)

    def heads(self, line: int, fields: list[str], needed: tuple[str, ...]) -> tuple[str, ...] | None:
        """Take the names of the columns from the first line; None when one that is needed is missing."""
        found = tuple(head.strip().casefold() for head in fields)
        if not all(name in found for name in needed):
            self.report.give_up(self._at(line, say("columns_wanted", columns=", ".join(needed))))
            return None
        self.columns = found
        return found

    def columns_of(self, fields: list[str]) -> Columns:
        """A line's fields by the names of their columns; LineError when there are more or fewer."""
        if len(fields) != len(self.columns):
            raise LineError(say("columns_differ", found=len(fields), named=len(self.columns)))
        return dict(zip(self.columns, fields, strict=True))

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the columns of every line that is not empty, with its number; SetupError when it cannot be read."""
        for line, raw in self.raw_lines():
            fields = self.fields(line, raw)
            if fields:
                yield line, fields

    def raw_lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield every line with its number, as it stands; SetupError when the file cannot be read."""
        for first, lines in self.chunks():
            yield from enumerate(lines, first)

    def chunks(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield the number of a line, and it with many that follow; SetupError when the file cannot be read."""
        try:
            with self.path.open("rb") as file:
                first, rest = 1, b""
                while chunk := file.read(CHUNK_BYTES):
                    *lines, rest = (rest + chunk).split(b"\n")
                    if max(map(len, (*lines, rest))) >= LINE_MAX:
                        good = [len(raw) >= LINE_MAX for raw in (*lines, rest)].index(True)
                        yield first, lines[:good]
                        self.report.give_up(self._at(first + good, say("line_too_long", most=LINE_MAX)))
                        return
                    yield first, lines
                    first += len(lines)
                if rest:
                    yield first, [rest]
        except OSError as error:
            raise SetupError((say("unreadable", file=self.path, why=error.strerror),)) from None

    def fields(self, line: int, raw: bytes) -> list[str]:
        """Read one line; none when it is empty or was noted as a mistake."""
        try:
            text = raw.decode("utf-8-sig" if line == 1 else "utf-8").rstrip("\r\n")
            self.separator = self.separator or _separator(text)
            fields = next(csv.reader((text,), delimiter=self.separator, strict=True), [])
        except UnicodeDecodeError:
            self.wrong(line, say("not_utf8"))
        except csv.Error as error:
            self.wrong(line, str(error))
        else:
            return fields if any(fields) else []
        return []

    def finish(self) -> None:
        """Say so when there was nothing at all."""
        if not self.columns and not self.report.problems:
            self.report.give_up(self._at(1, say("file_empty")))


def _separator(head: str) -> str:
    return max((",", ";", "\t"), key=head.count)


def _flag(text: str) -> bool:
    word = text.strip().casefold()
    if word not in _WORDS:
        raise LineError(say("prefix_unclear", value=repr(text[:20])))
    return _WORDS[word]


def _until_ms(text: str, timezone: str) -> int | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise LineError(say("until_none", value=repr(text[:40]))) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return int(moment.timestamp() * 1000)
