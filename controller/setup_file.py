"""The setup as text: read with every mistake at its line, compared by meaning, turned into JSON and back.

The text is what is stored and given back, byte for byte; what it means is decided by `controller.core.validate`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

from controller.core.difference import difference
from controller.core.setup import Setup
from controller.core.shape import Place, Problem
from controller.core.validate import validate
from controller.errors import SetupError
from controller.toml_lines import lines_of
from controller.toml_text import to_toml

__all__ = ["SetupText", "check", "diff", "parse", "parse_document", "read", "to_document", "to_toml"]

BYTES_MAX = 8 * 1024 * 1024
_MARK = "\ufeff"
_SYNTAX = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SetupText:
    """What came of a text: the setup and its document, and what is allowed in it but hardly meant."""

    setup: Setup
    document: dict[str, object]
    warnings: tuple[str, ...]


def parse(text: str, source: str = "setup.toml", now_ms: int = 0) -> Setup:
    """Read a setup file; SetupError with every mistake, each as `source:line: key: what is wrong`."""
    return check(text, source, now_ms).setup


def check(text: str, source: str = "setup.toml", now_ms: int = 0) -> SetupText:
    """Like `parse`, with the warnings."""
    document = _document(text, source)
    checked = validate(document, now_ms)
    if checked.setup is None:
        raise SetupError(_placed(checked.problems, text, source))
    return SetupText(checked.setup, document, _placed(checked.warnings, text, source))


def parse_document(document: object, now_ms: int = 0) -> Setup:
    """Read a setup that came as JSON; SetupError with every mistake, each as `key: what is wrong`."""
    if not isinstance(document, Mapping):
        raise SetupError(("the setup must be a JSON object with the tables of the setup file",))
    checked = validate(document, now_ms)
    if checked.setup is None:
        raise SetupError(tuple(str(problem) for problem in checked.problems))
    return checked.setup


def to_document(text: str, source: str = "setup.toml") -> dict[str, object]:
    """The document of a setup text, fit for JSON; passwords included."""
    return {key: _jsonable(value) for key, value in _document(text, source).items()}


def diff(old_text: str, new_text: str) -> tuple[str, ...]:
    """What changes in meaning from one text to another, a line each; passwords are never shown."""
    return difference(parse(old_text, "setup in force"), parse(new_text))


def read(path: Path) -> str:
    """The text of a file with its line ends as they are; SetupError when it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SetupError((f"{path}: cannot be read: {error.strerror or error}",)) from error
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SetupError((f"{path}:{line}: is not UTF-8",)) from error


def _document(text: str, source: str) -> dict[str, object]:
    if len(text) > BYTES_MAX:
        raise SetupError((f"{source}:1: is longer than {BYTES_MAX} characters; import long lists from CSV instead",))
    try:
        return tomllib.loads(text.removeprefix(_MARK))
    except tomllib.TOMLDecodeError as error:
        raise SetupError((_syntax(str(error), text, source),)) from error
    except (RecursionError, ValueError) as error:
        why = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SetupError((f"{source}:1: {why}",)) from error


def _syntax(message: str, text: str, source: str) -> str:
    """The library's own words about what is no TOML, with the line in front."""
    found = _SYNTAX.fullmatch(message)
    if found is None:
        return f"{source}:1: {message}"
    line = found["line"] or str(text.rstrip("\n").count("\n") + 1)
    column = f" (column {found['column']})" if found["column"] else " (at the end of the file)"
    return f"{source}:{line}: this is no TOML: {found['what']}{column}"


def _placed(problems: tuple[Problem, ...], text: str, source: str) -> tuple[str, ...]:
    """Each problem in one line with its line number, in the order of the file."""
    if not problems:
        return ()
    lines = lines_of(text.removeprefix(_MARK))
    with_line = [(_line(problem.place, lines), str(problem)) for problem in problems]
    return tuple(f"{source}:{line}: {told}" for line, told in sorted(with_line, key=lambda pair: pair[0]))


def _line(place: Place, lines: Mapping[Place, int]) -> int:
    """The line of a place, or of the nearest table around it when the key itself is missing."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _jsonable(value: object) -> object:
    if isinstance(value, list):
        return [_jsonable(each) for each in value]
    if isinstance(value, dict):
        return {key: _jsonable(each) for key, each in value.items()}
    return value.isoformat() if isinstance(value, date | time) else value
