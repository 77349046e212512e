"""The shape of a document: types, ranges, allowed words and alphabets, read key by key.

A `Table` knows which keys were asked for, so what is left over is refused; nothing here raises, and a value that is
wrong is reported and replaced by its default, so that everything else in the document can still be looked at.
The alphabets texts must match stand in `controller.core.alphabets`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice

from controller.core.alphabets import TEXT, TEXT_MAX, Alphabet

Place = tuple[str | int, ...]
"""Where in the document: `("hotline", 2, "trunk")`. Numbers count from 0, as in JSON."""

NUMBER_SHOWN_MAX = 10**12
REPORTED_MAX = 1_000
"""Mistakes reported at most; a file that has more is of another kind."""

NEAR_MAX = 300
"""Among more names than these nobody looks for one that was meant: each costs some microseconds, for each mistake."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def spell(place: Place) -> str:
    """A place as people write it: `hotline[2].closed.queue`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else f'"{repr(part[:40])[1:-1]}"'
            text += f".{key}" if text else key
    return text


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where, and what is wrong, in one line for a person."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{spell(self.place)}: {self.text}" if self.place else self.text


@dataclass(slots=True)
class Report:
    """Every mistake found so far, and what is no mistake but worth telling."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _wrong: set[Place] = field(default_factory=set)

    def add(self, place: Place, text: str) -> None:
        """Report a mistake."""
        self._wrong.add(place)
        if len(self.problems) < REPORTED_MAX:
            self.problems.append(Problem(place, text))

    @property
    def full(self) -> bool:
        """Whether what follows is not told any more."""
        return len(self.problems) >= REPORTED_MAX

    def warn(self, place: Place, text: str) -> None:
        """Tell something that is allowed and probably not meant."""
        self.warnings.append(Problem(place, text))

    def wrong(self, place: Place) -> bool:
        """Whether a mistake was reported for this very place: what follows from it need not be reported again."""
        return place in self._wrong


def once(values: Iterable[tuple[Place, str]], report: Report) -> None:
    """Report every value that stands somewhere else already."""
    first: dict[str, Place] = {}
    for place, value in values:
        other = first.setdefault(value, place)
        if value and other != place:
            report.add(place, f"'{value}' stands in {spell(other)} already")


def meant(word: str, known: Iterable[str], nearness: float = 0.66) -> str:
    """The ` (did you mean …?)` for a word that is not known; empty when nothing is near."""
    names = list(islice(known, NEAR_MAX + 1))
    near = get_close_matches(word[:TEXT_MAX], names, 1, nearness) if len(names) <= NEAR_MAX else []
    return f" (did you mean '{near[0]}'?)" if near else ""


def shown(value: object) -> str:
    """A value in a few characters that are safe to print."""
    return repr(value[:40]) if isinstance(value, str) else kind_of(value)


def kind_of(value: object) -> str:
    """What a value is, in words."""
    for kind, words in (
        (bool, "true or false"),
        (int, "a whole number"),
        (float, "a fraction"),
        (str, "text"),
        (list, "a list"),
    ):
        if isinstance(value, kind):
            return words
    return "a table" if isinstance(value, Mapping) else "nothing" if value is None else "a date or time"


class Table:
    """One table while it is read: each method takes a key, reports what is wrong with it, and gives a usable value."""

    def __init__(self, raw: Mapping[str, object], place: Place, report: Report) -> None:
        self.place = place
        self.report = report
        self._raw = raw
        self._asked: dict[str, None] = {}

    def at(self, key: str | int) -> Place:
        """The place of one of its keys."""
        return (*self.place, key)

    def has(self, key: str) -> bool:
        """Whether the key is there at all."""
        return key in self._raw

    def raw(self, key: str) -> object:
        """The value as it stands, for readers of their own; None when left out."""
        self._asked[key] = None
        return self._raw.get(key)

    def wrong(self, key: str, text: str) -> None:
        """Report a mistake in one key."""
        self.report.add(self.at(key), text)

    def text(self, key: str, alphabet: Alphabet = TEXT, *, default: str = "", needed: bool = False) -> str:
        """Text that matches an alphabet as a whole."""
        value = self.raw(key)
        if key not in self._raw:
            if needed:
                self.wrong(key, "is missing")
            return default
        if not isinstance(value, str):
            self.wrong(key, f"must be text, not {kind_of(value)}")
        elif alphabet.pattern.fullmatch(value) is None or not value.isprintable():
            self.wrong(key, f"{'this' if alphabet.secret else shown(value)} is not allowed here: {alphabet.words}")
        else:
            return value
        return default

    def word(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        value = self.text(key, default=default)
        if value in allowed:
            return value
        self.wrong(key, f"{value[:40]!r} is none of {', '.join(allowed)}{meant(value, allowed)}")
        return default

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds."""
        found = self.maybe(key, low, high)
        return default if found is None else found

    def maybe(self, key: str, low: int, high: int) -> int | None:
        """A whole number within bounds; None when it is left out."""
        value = self.raw(key)
        if key not in self._raw:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self.wrong(key, f"must be a whole number, not {kind_of(value)}")
        elif not low <= value <= high:
            self.wrong(key, f"{value if abs(value) < NUMBER_SHOWN_MAX else 'this'} is out of range: {low} to {high}")
        else:
            return value
        return None

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.raw(key)
        if isinstance(value, bool):
            return value
        if key in self._raw:
            self.wrong(key, f"must be true or false, not {kind_of(value)}")
        return default

    def items(self, key: str) -> list[tuple[Place, object]]:
        """The elements of a list, each with its place."""
        value = self.raw(key)
        if isinstance(value, list):
            return [((*self.at(key), n), element) for n, element in enumerate(value)]
        if key in self._raw:
            self.wrong(key, f"must be a list, not {kind_of(value)}")
        return []

    def texts(self, key: str, alphabet: Alphabet) -> tuple[str, ...]:
        """A list of different texts, each in an alphabet."""
        found: dict[str, None] = {}
        for place, value in self.items(key):
            if not isinstance(value, str):
                self.report.add(place, f"must be text, not {kind_of(value)}")
            elif alphabet.pattern.fullmatch(value) is None or not value.isprintable():
                self.report.add(place, f"{shown(value)} is not allowed here: {alphabet.words}")
            elif value in found:
                self.report.add(place, f"'{value}' is in the list twice")
            else:
                found[value] = None
        return tuple(found)

    def words(self, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        """A list of different words out of a few."""
        found: dict[str, None] = {}
        for place, value in self.items(key):
            if not isinstance(value, str) or value not in allowed:
                near = meant(value, allowed) if isinstance(value, str) else ""
                self.report.add(place, f"{shown(value)} is none of {', '.join(allowed)}{near}")
            elif value in found:
                self.report.add(place, f"'{value}' is in the list twice")
            else:
                found[value] = None
        return tuple(found)

    def table(self, key: str) -> Table | None:
        """A table inside this one; None when it is left out."""
        value = self.raw(key)
        if isinstance(value, Mapping):
            return Table(value, self.at(key), self.report)
        if key in self._raw:
            self.wrong(key, f"must be a table, not {kind_of(value)}")
        return None

    def tables(self, key: str) -> list[Table]:
        """A list of tables."""
        found: list[Table] = []
        for place, value in self.items(key):
            if isinstance(value, Mapping):
                found.append(Table(value, place, self.report))
            else:
                self.report.add(place, f"must be a table, not {kind_of(value)}")
        return found

    def all_keys(self) -> list[str]:
        """Every key, for tables whose keys are data; they count as asked for."""
        self._asked.update(dict.fromkeys(self._raw))
        return list(self._raw)

    def done(self) -> None:
        """Refuse every key nobody asked for."""
        for key in self._raw:
            if key not in self._asked:
                near = "" if self.report.full else meant(key, [row for row in self._asked if row not in self._raw])
                self.wrong(key, f"there is no such key here{near}")
