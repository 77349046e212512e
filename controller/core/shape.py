"""The shape of a document: types, ranges, allowed words and alphabets, read key by key.

A `Table` knows which keys were asked for, so what is left over is refused; nothing here raises, and a value that is
wrong is reported and replaced by its default, so that everything else in the document can still be looked at.
The alphabets texts must match stand in `controller.core.alphabets`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice

from controller.core.alphabets import TEXT, TEXT_MAX, Alphabet
from controller.core.saying import Saying, say

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
    text: Saying

    @property
    def line(self) -> Saying:
        """The mistake with its place in front."""
        return say("at", where=spell(self.place), what=self.text) if self.place else self.text

    def __str__(self) -> str:
        return str(self.line)


@dataclass(slots=True)
class Report:
    """Every mistake found so far, and what is no mistake but worth telling."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _wrong: set[Place] = field(default_factory=set)

    def add(self, place: Place, text: Saying) -> None:
        """Report a mistake."""
        self._wrong.add(place)
        if len(self.problems) < REPORTED_MAX:
            self.problems.append(Problem(place, text))

    @property
    def full(self) -> bool:
        """Whether what follows is not told any more."""
        return len(self.problems) >= REPORTED_MAX

    def warn(self, place: Place, text: Saying) -> None:
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
            report.add(place, say("stands_already", value=value, place=spell(other)))


def meant(word: str, known: Iterable[str], nearness: float = 0.66) -> Saying | str:
    """The ` (did you mean …?)` for a word that is not known; empty when nothing is near."""
    names = list(islice(known, NEAR_MAX + 1))
    near = get_close_matches(word[:TEXT_MAX], names, 1, nearness) if len(names) <= NEAR_MAX else []
    return say("did_you_mean", word=near[0]) if near else ""


def shown(value: object) -> Saying | str:
    """A value in a few characters that are safe to print."""
    return repr(value[:40]) if isinstance(value, str) else kind_of(value)


def kind_of(value: object) -> Saying:
    """What a value is, in words."""
    for kind, name in (
        (bool, "kind_flag"),
        (int, "kind_integer"),
        (float, "kind_fraction"),
        (str, "kind_text"),
        (list, "kind_list"),
        (Mapping, "kind_table"),
        (type(None), "kind_nothing"),
    ):
        if isinstance(value, kind):
            return Saying(name)
    return say("kind_moment")


def _must_be(name: str, value: object) -> Saying:
    """What a value must be, by the name of the saying, and what it is instead."""
    return say("must_be", wanted=Saying(name), kind=kind_of(value))


def _none_of(value: object, allowed: tuple[str, ...]) -> Saying:
    """A word that is none of a few."""
    near = meant(value, allowed) if isinstance(value, str) else ""
    return say("none_of", value=shown(value), allowed=", ".join(allowed), near=near)


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

    def wrong(self, key: str, text: Saying) -> None:
        """Report a mistake in one key."""
        self.report.add(self.at(key), text)

    def text(self, key: str, alphabet: Alphabet = TEXT, *, default: str = "", needed: bool = False) -> str:
        """Text that matches an alphabet as a whole."""
        value = self.raw(key)
        if key not in self._raw:
            if needed:
                self.wrong(key, say("missing"))
            return default
        if not isinstance(value, str):
            self.wrong(key, _must_be("kind_text", value))
        elif alphabet.pattern.fullmatch(value) is None or not value.isprintable():
            what = say("this") if alphabet.secret else shown(value)
            self.wrong(key, say("not_allowed", value=what, wanted=alphabet.words))
        else:
            return value
        return default

    def word(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        value = self.text(key, default=default)
        if value in allowed:
            return value
        self.wrong(key, _none_of(value, allowed))
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
            self.wrong(key, _must_be("kind_integer", value))
        elif not low <= value <= high:
            what = value if abs(value) < NUMBER_SHOWN_MAX else say("this")
            self.wrong(key, say("out_of_range", value=what, low=low, high=high))
        else:
            return value
        return None

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.raw(key)
        if isinstance(value, bool):
            return value
        if key in self._raw:
            self.wrong(key, _must_be("kind_flag", value))
        return default

    def items(self, key: str) -> list[tuple[Place, object]]:
        """The elements of a list, each with its place."""
        value = self.raw(key)
        if isinstance(value, list):
            return [((*self.at(key), n), element) for n, element in enumerate(value)]
        if key in self._raw:
            self.wrong(key, _must_be("kind_list", value))
        return []

    def texts(self, key: str, alphabet: Alphabet) -> tuple[str, ...]:
        """A list of different texts, each in an alphabet."""

        def wrong(value: object) -> Saying | None:
            if not isinstance(value, str):
                return _must_be("kind_text", value)
            if alphabet.pattern.fullmatch(value) is None or not value.isprintable():
                return say("not_allowed", value=shown(value), wanted=alphabet.words)
            return None

        return self._different(key, wrong)

    def words(self, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        """A list of different words out of a few."""
        return self._different(key, lambda value: None if value in allowed else _none_of(value, allowed))

    def _different(self, key: str, wrong: Callable[[object], Saying | None]) -> tuple[str, ...]:
        """The elements of a list with which nothing is wrong, each once."""
        found: dict[str, None] = {}
        for place, value in self.items(key):
            mistake = wrong(value)
            if mistake is None and value in found:
                mistake = say("twice", value=value)
            if mistake is None:
                found[str(value)] = None
            else:
                self.report.add(place, mistake)
        return tuple(found)

    def table(self, key: str) -> Table | None:
        """A table inside this one; None when it is left out."""
        value = self.raw(key)
        if isinstance(value, Mapping):
            return Table(value, self.at(key), self.report)
        if key in self._raw:
            self.wrong(key, _must_be("kind_table", value))
        return None

    def tables(self, key: str) -> list[Table]:
        """A list of tables."""
        found: list[Table] = []
        for place, value in self.items(key):
            if isinstance(value, Mapping):
                found.append(Table(value, place, self.report))
            else:
                self.report.add(place, _must_be("kind_table", value))
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
                self.wrong(key, say("no_such_key", near=near))
