"""On which line of a TOML text each key stands. The standard library reads TOML and forgets where it read it.

The text is already known to be valid TOML, so this scanner only has to find its way: it knows strings of all four
kinds, lists and inline tables over several lines, dotted keys and arrays of tables, and believes the rest.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from controller.core.shape import Place

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{1,2}(?!"))?', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{1,2}(?!'))?", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
_SCALAR = re.compile(r"[^,\]}\n#]*")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_LETTERS = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


def lines_of(text: str) -> dict[Place, int]:
    """The line, counted from 1, of every key, list element and table header of a valid TOML text."""
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    """One walk through one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Place, int] = {}
        self._rows: dict[Place, int] = {}

    def scan(self) -> dict[Place, int]:
        """Walk through the whole text."""
        table: Place = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            table = self._header() if self._text[self._at] == "[" else self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> Place:
        """`[a.b]` or `[[a.b]]`: the place of the table that begins here."""
        line = self._line()
        many = self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        *above, last = self._key()
        place: Place = ()
        for part in above:
            place = self._row((*place, part))
        place = (*place, last)
        if many:
            self._rows[place] = self._rows.get(place, 0) + 1
            self._lines.setdefault(place, line)
            place = self._row(place)
        self._lines[place] = line
        self._at += 2 if many else 1
        return place

    def _row(self, place: Place) -> Place:
        """The table meant by a name: the newest row where it is an array of tables."""
        rows = self._rows.get(place)
        return (*place, rows - 1) if rows else place

    def _pair(self, table: Place) -> Place:
        """`key = value`; gives the table back."""
        line = self._line()
        place = table
        for part in self._key():
            place = (*place, part)
            self._lines.setdefault(place, line)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(place)
        return table

    def _key(self) -> list[str]:
        """A key with its dots; ends in front of what follows it."""
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            quoted = self._text[self._at] in "\"'"
            found = self._take(_STRINGS[2] if self._text[self._at] == '"' else _STRINGS[3] if quoted else _BARE)
            parts.append(_plain(found) if quoted else found)
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, place: Place) -> None:
        match self._text[self._at]:
            case "[":
                self._list(place)
            case "{":
                self._inline(place)
            case '"' | "'":
                next(True for form in _STRINGS if self._take(form))
            case _:
                self._take(_SCALAR)

    def _list(self, place: Place) -> None:
        self._at += 1
        self._skip(_BLANK)
        count = 0
        while self._text[self._at] != "]":
            self._lines[(*place, count)] = self._line()
            self._value((*place, count))
            count += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _inline(self, place: Place) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._pair(place)
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _take(self, form: re.Pattern[str]) -> str:
        found = form.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _skip(self, form: re.Pattern[str]) -> None:
        self._take(form)

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1


def _plain(quoted: str) -> str:
    """A quoted key without its quotes and escapes."""
    inner = quoted[1:-1]
    if quoted[0] == "'":
        return inner
    return _ESCAPE.sub(_unescaped, inner)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else _LETTERS.get(found[3], found[3])
