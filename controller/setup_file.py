"""The setup as text: read with every mistake at its line, compared by meaning, turned into JSON and back.

The text is what is stored and given back, byte for byte; what it means is decided by `controller.core.validate`, with
the table of carriers it names (`controller.carrier_file`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time

from controller import carrier_file
from controller.core.difference import difference
from controller.core.saying import Saying, say
from controller.core.setup import Setup
from controller.core.validate import Checked, validate
from controller.errors import SetupError
from controller.toml_document import document_of, placed, read
from controller.toml_text import to_toml

__all__ = [
    "SetupText",
    "check",
    "check_document",
    "diff",
    "parse",
    "parse_document",
    "parse_in_force",
    "read",
    "to_document",
    "to_toml",
]


@dataclass(frozen=True, slots=True)
class SetupText:
    """What came of a text: the setup and its document, and what is allowed in it but hardly meant."""

    setup: Setup
    document: dict[str, object]
    warnings: tuple[Saying, ...]


def parse(text: str, source: str = "setup.toml", now_ms: int = 0) -> Setup:
    """Read a setup file; SetupError with every mistake, each as `source:line: key: what is wrong`."""
    return check(text, source, now_ms).setup


def parse_in_force(text: str, source: str = "setup in force", now_ms: int = 0) -> Setup:
    """Read a setup that was put in force before: a file it names may be gone since (`Setup.carriers_from`)."""
    document = document_of(text, source)
    return _setup_text(check_document(document, now_ms, in_force=True), document, text, source).setup


def check(text: str, source: str = "setup.toml", now_ms: int = 0) -> SetupText:
    """Like `parse`, with the warnings."""
    document = document_of(text, source)
    return _setup_text(check_document(document, now_ms), document, text, source)


def check_document(document: Mapping[str, object], now_ms: int = 0, *, in_force: bool = False) -> Checked:
    """Check a document with the carriers that go with it; never raises."""
    table, problems = carrier_file.table_for(document, in_force=in_force)
    checked = validate(document, now_ms, table)
    return Checked(None, (*problems, *checked.problems), checked.warnings) if problems else checked


def parse_document(document: object, now_ms: int = 0) -> Setup:
    """Read a setup that came as JSON; SetupError with every mistake, each as `key: what is wrong`."""
    if not isinstance(document, Mapping):
        raise SetupError((say("no_json_object"),))
    checked = check_document(document, now_ms)
    if checked.setup is None:
        raise SetupError(tuple(problem.line for problem in checked.problems))
    return checked.setup


def to_document(text: str, source: str = "setup.toml") -> dict[str, object]:
    """The document of a setup text, fit for JSON; passwords included."""
    return {key: _jsonable(value) for key, value in document_of(text, source).items()}


def diff(old_text: str, new_text: str) -> tuple[str, ...]:
    """What changes in meaning from one text to another, a line each; passwords are never shown."""
    return difference(parse_in_force(old_text), parse(new_text))


def _setup_text(checked: Checked, document: dict[str, object], text: str, source: str) -> SetupText:
    if checked.setup is None:
        raise SetupError(placed(checked.problems, text, source))
    return SetupText(checked.setup, document, placed(checked.warnings, text, source))


def _jsonable(value: object) -> object:
    if isinstance(value, list):
        return [_jsonable(each) for each in value]
    if isinstance(value, dict):
        return {key: _jsonable(each) for key, each in value.items()}
    return value.isoformat() if isinstance(value, date | time) else value
