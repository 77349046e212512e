"""Importing lists of numbers: read beside the calls, told while it goes, at once in force where a daemon answers."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from controller.cli_client import Client, DaemonAwayError, RefusedError
from controller.cli_options import complain, say
from controller.cli_progress import Shown
from controller.cli_words import language, words
from controller.clock import SystemClock
from controller.core.saying import told
from controller.core.setup import Setup
from controller.settings import Settings

if TYPE_CHECKING:
    from controller.store.ported_import import Imported

REFRESH: Final = "/api/v1/numbers/refresh"


def bring_in(
    settings: Settings, path: Path, kind: str, client: Client | None, setup: Setup, *, skip_bad: bool = False
) -> None:
    """Import a list of `ported` or `blocked` numbers, spelled and checked by the setup in force."""
    done = asyncio.run(_import(settings, path, kind, setup, skip_bad=skip_bad))
    for problem in done.problems:
        complain(words("warning", told(problem, language())))
    if done.skipped:
        say(words("imported_but", done.rows, words(kind), done.skipped))
    else:
        say(words("imported", done.rows, words(kind)))
    # Without a token that may ask for it, or with nobody there, a running daemon finds it by itself within two seconds.
    if client is not None:
        with contextlib.suppress(DaemonAwayError, RefusedError):
            client.send("POST", REFRESH)


def look_over(path: Path, kind: str, setup: Setup, *, skip_bad: bool = False) -> None:
    """Read a list as `bring_in` would and import nothing; SetupError with every mistake."""
    from controller.store import number_files  # noqa: PLC0415 - only this verb reads such files

    def ported(columns: number_files.Columns, country: str, carriers: Mapping[str, str] | None) -> number_files.Values:
        return dict(zip(("number", "carrier"), number_files.ported_row(columns, country, carriers), strict=True))

    report, country, spelling = number_files.Report(), setup.defaults.country, setup.carrier_spelling
    needed, row = (("number", "carrier"), ported) if kind == "ported" else (("number",), number_files.blocked_row)
    for _ in number_files.read(path, needed, row, country, spelling, report):
        pass
    report.check(skip_bad=skip_bad)
    say(words("looked_over", path, report.rows, words(kind), report.bad))


async def _import(settings: Settings, path: Path, kind: str, setup: Setup, *, skip_bad: bool) -> Imported:
    from controller.store.db import Database  # noqa: PLC0415 - only this verb needs the books
    from controller.store.numbers import Numbers  # noqa: PLC0415 - the same

    database = Database(settings.database.url)
    numbers, at_ms, by = Numbers(database), SystemClock().now_ms(), f"cli/{getpass.getuser()}"
    country, timezone = setup.defaults.country, setup.defaults.timezone
    try:
        if kind == "blocked":
            return await numbers.import_blocked(path, at_ms, by, country, timezone)
        with Shown() as shown:
            return await numbers.import_ported(
                path, at_ms, by, setup.carrier_spelling, country, skip_bad=skip_bad, progress=shown
            )
    finally:
        await database.close()
