"""Tables of carriers as files: the shipped one, and the one a setup names in its place.

A setup that is put in force must name a file that can be read and has no mistake. One that is in force already is
never in the way of a start: if its file has gone or broken since, the shipped table stands in, and that is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from controller.core.carrier_table import CarrierTable, read_table
from controller.core.saying import Saying, say
from controller.core.setup import Defaults
from controller.core.shape import Problem
from controller.errors import SetupError
from controller.toml_document import document_of, placed, read

SHIPPED: Final = "shipped"
BYTES_MAX: Final = 1024 * 1024
_SHIPPED_FILES: Final[Mapping[str, Path]] = {"VN": Path(__file__).with_name("data") / "carriers_vn.toml"}
_KEY: Final = ("defaults", "carriers")


def load(path: Path) -> CarrierTable:
    """Read a table; SetupError with every mistake, each as `file:line: key: what is wrong`."""
    # A setup may come over the API, so the path may be anything: a device would be read for ever.
    if path.exists() and not path.is_file():
        raise SetupError((say("cannot_be_read", file=path, why=say("is_no_file")),))
    if path.exists() and path.stat().st_size > BYTES_MAX:
        raise SetupError((say("no_carrier_file", file=path, most=BYTES_MAX),))
    return _read(path, str(path))


@cache
def shipped(country: str) -> CarrierTable:
    """The table that came with the program, empty for countries it has none for."""
    path = _SHIPPED_FILES.get(country)
    return CarrierTable(country) if path is None else _read(path, SHIPPED)


def table_for(document: Mapping[str, object], *, in_force: bool) -> tuple[CarrierTable, tuple[Problem, ...]]:
    """The table a setup's document wants, and what is wrong with it.

    `in_force` says that the setup is in force already: then nothing is a mistake, and the shipped table stands in.
    """
    defaults = document.get(_KEY[0])
    keys = defaults if isinstance(defaults, Mapping) else {}
    country, path = keys.get("country", Defaults().country), keys.get(_KEY[1])
    wrong: tuple[Saying, ...] = ()
    fallback = shipped(country if isinstance(country, str) else "")
    if not isinstance(path, str) or not path.startswith("/"):
        return fallback, ()
    try:
        found = load(Path(path))
        if found.country != country:
            wrong = (say("other_country", file=path, country=found.country, own=country),)
    except SetupError as error:
        found, wrong = fallback, error.sayings
    if not wrong:
        return found, ()
    if in_force:
        return replace(fallback, source=replace(fallback.source, trouble=str(wrong[0]))), ()
    return fallback, tuple(Problem(_KEY, line) for line in wrong)


def _read(path: Path, origin: str) -> CarrierTable:
    text = read(path)
    table, problems = read_table(document_of(text, str(path)), origin)
    if problems:
        raise SetupError(placed(problems, text, str(path)))
    return table
