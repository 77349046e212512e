"""CSV files of ported and blocked numbers, read a line at a time: memory does not grow with the file.

The first line names the columns; other columns are passed over, because operators' lists have many. `ported` files
have `number` and `carrier`; `blocked` files `number` and, where wanted, `scopes` (words with spaces between), `prefix`
(yes or no) and `until` (ISO 8601). Comma, semicolon and tab separate. Files are UTF-8.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import RowMapping

from controller.core import numbers
from controller.core.setup import Blocked
from controller.errors import SetupError

LINE_MAX: Final = 4_096
"""Bytes of one line; longer ones are no list of numbers."""
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
    problems: list[str] = field(default_factory=list)
    more: int = 0

    def add(self, problem: str) -> None:
        """Note a mistake."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)
        else:
            self.more += 1

    def check(self) -> None:
        """Raise SetupError with every mistake when there is one."""
        if self.problems:
            rest = (f"... and {self.more} more",) if self.more else ()
            raise SetupError((*self.problems, *rest))


class LineError(ValueError):
    """A line, or a column of it, that cannot be used; the message names the column first."""


def ported_row(columns: Columns, country: str, carriers: Mapping[str, str] | None) -> Values:
    """Read a ported number; `carriers` are known spellings in small letters, None to take any."""
    number = numbers.normalise(columns["number"], country).e164
    if not number:
        raise LineError(f"number: {columns['number'][:20]!r} is no phone number")
    carrier = columns["carrier"].strip()
    if carriers is not None:
        if carrier.casefold() not in carriers:
            raise LineError(f"carrier: {carrier[:40]!r} is not in the setup")
        carrier = carriers[carrier.casefold()]
    if not carrier:
        raise LineError("carrier: is empty")
    return {"number": int(number[1:]), "carrier": carrier}


def blocked_row(columns: Columns, country: str, _carriers: Mapping[str, str] | None = None) -> Values:
    """Read a blocked number or prefix, spelled as `core.numbers` compares them."""
    prefix = _flag(columns.get("prefix", ""))
    typed = columns["number"]
    spelled = (
        numbers.comparable_prefix(typed, country)
        if prefix
        else numbers.comparable(numbers.normalise(typed, country), country)
    )
    if not spelled:
        raise LineError(f"number: {typed[:20]!r} is no phone number")
    scopes = tuple(dict.fromkeys(columns.get("scopes", "").split())) or SCOPES
    for scope in scopes:
        if scope not in SCOPES:
            raise LineError(f"scopes: {scope[:20]!r} is none of {', '.join(SCOPES)}")
    return {
        "number": spelled,
        "prefix": prefix,
        "scopes": ",".join(scopes),
        "until_ms": _until_ms(columns.get("until", "").strip()),
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
    heads: list[str] = []
    for number, fields in _lines(path, report):
        if not heads:
            heads = [head.strip().casefold() for head in fields]
            missing = [name for name in needed if name not in heads]
            if missing:
                report.add(f"{path.name}:{number}: wants a first line with the columns {', '.join(needed)}")
                return
            continue
        if len(fields) != len(heads):
            report.add(f"{path.name}:{number}: has {len(fields)} columns, the first line names {len(heads)}")
            continue
        try:
            values = read_row(dict(zip(heads, fields, strict=True)), country, carriers)
        except LineError as error:
            report.add(f"{path.name}:{number}: {error}")
            continue
        report.rows += 1
        yield values
    if not heads and not report.problems:
        report.add(f"{path.name}:1: the file is empty")


def _lines(path: Path, report: Report) -> Iterator[tuple[int, list[str]]]:
    """Yield the columns of every line that is not empty, with its number."""
    separator = ""
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(LINE_MAX):
                number += 1
                if len(raw) == LINE_MAX and not raw.endswith(b"\n"):
                    report.add(f"{path.name}:{number}: is longer than {LINE_MAX} bytes")
                    return
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                    separator = separator or _separator(text)
                    fields = next(csv.reader((text,), delimiter=separator, strict=True), [])
                except UnicodeDecodeError:
                    report.add(f"{path.name}:{number}: is not UTF-8")
                except csv.Error as error:
                    report.add(f"{path.name}:{number}: {error}")
                else:
                    if any(fields):
                        yield number, fields
    except OSError as error:
        raise SetupError((f"{path}: cannot be read ({error.strerror})",)) from None


def _separator(head: str) -> str:
    return max((",", ";", "\t"), key=head.count)


def _flag(text: str) -> bool:
    word = text.strip().casefold()
    if word not in _WORDS:
        raise LineError(f"prefix: {text[:20]!r} is neither yes nor no")
    return _WORDS[word]


def _until_ms(text: str) -> int | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise LineError(f"until: {text[:40]!r} is no date (2026-12-31 or 2026-12-31T18:00+07:00)") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
