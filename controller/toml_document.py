"""TOML files people write: read whole, taken apart, and every mistake told with its file and line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from controller.core.saying import Saying, say
from controller.core.shape import Place, Problem
from controller.errors import SetupError
from controller.toml_lines import lines_of

BYTES_MAX = 8 * 1024 * 1024
MARK = "\ufeff"
KEY_PARTS_MAX = 32
_PART = r"""(?:[A-Za-z0-9_-]{1,200}+|"[^"\n]{0,200}+"|'[^'\n]{0,200}+')[ \t]*+\.[ \t]*+"""
_DEEP_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}){{{KEY_PARTS_MAX},}}+")
"""A key such as `a.a.a.…`: the standard library takes time with the square of its parts, minutes for a megabyte."""
_SYNTAX = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)


def read(path: Path) -> str:
    """The text of a file with its line ends as they are; SetupError when it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SetupError((say("cannot_be_read", file=path, why=error.strerror or error),)) from error
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SetupError((_at(str(path), line, say("not_utf8")),)) from error


def document_of(text: str, source: str) -> dict[str, object]:
    """The tables of a text; SetupError with the line where it is no TOML."""
    if len(text) > BYTES_MAX:
        raise SetupError((_at(source, 1, say("setup_too_long", most=BYTES_MAX)),))
    if (deep := _DEEP_KEY.search(text)) is not None:
        line = text.count("\n", 0, deep.start()) + 1
        raise SetupError((_at(source, line, say("key_too_deep", most=KEY_PARTS_MAX)),))
    try:
        return tomllib.loads(text.removeprefix(MARK))
    except tomllib.TOMLDecodeError as error:
        raise SetupError((_syntax(str(error), text, source),)) from error
    except (RecursionError, ValueError) as error:
        why = say("nested_too_deeply") if isinstance(error, RecursionError) else str(error)
        raise SetupError((_at(source, 1, why),)) from error


def placed(problems: Iterable[Problem], text: str, source: str) -> tuple[Saying, ...]:
    """Each problem in one line with its line number, in the order of the file."""
    found = tuple(problems)
    if not found:
        return ()
    lines = lines_of(text.removeprefix(MARK))
    with_line = [(_line(problem.place, lines), problem.line) for problem in found]
    return tuple(_at(source, line, told) for line, told in sorted(with_line, key=lambda pair: pair[0]))


def _at(file: str, line: int, what: Saying | str) -> Saying:
    return say("at_line", file=file, line=line, what=what)


def _syntax(message: str, text: str, source: str) -> Saying:
    """The library's own words about what is no TOML, with the line in front."""
    found = _SYNTAX.fullmatch(message)
    if found is None:
        return _at(source, 1, message)
    line = int(found["line"] or text.rstrip("\n").count("\n") + 1)
    place = say("column", n=found["column"]) if found["column"] else say("end_of_file")
    return _at(source, line, say("no_toml", what=found["what"], place=place))


def _line(place: Place, lines: Mapping[Place, int]) -> int:
    """The line of a place, or of the nearest table around it when the key itself is missing."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)
