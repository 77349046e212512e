"""The setup: every version that was ever in force, kept as its text. The highest version is in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from controller import setup_file
from controller.core.setup import Setup
from controller.errors import LedgerError, SetupError, StaleSetupError
from controller.ports import Clock
from controller.store import audit
from controller.store.db import Database
from controller.store.tables import setup_version

FORMAT: Final = "toml"
PAGE_MAX: Final = 200

Parse = Callable[[str, str], Setup]
"""Reads the text of a setup, given where it stands; SetupError when it makes no sense."""


@dataclass(frozen=True, slots=True)
class StoredSetup:
    """A version of the setup as it was put in; version 0 with no text is the setup of a fresh database."""

    version: int
    text: str
    format: str
    applied_at_ms: int
    applied_by: str


_VERSION_IN_FORCE: Final = select(func.max(setup_version.c.version))
FRESH: Final = StoredSetup(0, "", FORMAT, 0, "")


async def latest(connection: AsyncConnection) -> StoredSetup:
    """Read the version in force."""
    rows = await connection.execute(select(setup_version).order_by(setup_version.c.version.desc()).limit(1))
    found = rows.mappings().first()
    return FRESH if found is None else _stored(found)


def setup_of(stored: StoredSetup, parse: Parse = setup_file.parse_in_force) -> Setup:
    """Read a stored version; LedgerError when this program does not understand it."""
    if stored.version == 0:
        return Setup()
    try:
        return replace(parse(stored.text, f"setup version {stored.version}"), version=stored.version)
    except SetupError as error:
        raise LedgerError(f"the setup in the database cannot be read: {error.problems[0]}") from error


class SetupRepo:
    """Versions of the setup in the database."""

    def __init__(self, database: Database, clock: Clock, parse: Parse = setup_file.parse) -> None:
        self._database = database
        self._clock = clock
        self._parse = parse

    async def current(self) -> StoredSetup:
        """Return the version in force."""
        async with self._database.reading() as connection:
            return await latest(connection)

    async def version_in_force(self) -> int:
        """Return only the number of the version in force: whoever looks again and again need not read a megabyte."""
        async with self._database.reading() as connection:
            return await connection.scalar(_VERSION_IN_FORCE) or FRESH.version

    async def put(self, text: str, seen_version: int | None, by: str) -> int:
        """Put another setup in force and return its version.

        `seen_version` is the version its author began from, None to overwrite whatever is there. SetupError when it
        makes no sense, StaleSetupError when another version came in between: then nothing is changed.
        """
        # Beside the calls: a megabyte of setup takes a second of a core.
        await asyncio.to_thread(self._parse, text, "setup")
        async with self._database.writing() as connection:
            present = (await latest(connection)).version
            if seen_version is not None and seen_version != present:
                raise StaleSetupError(seen_version, present)
            row = StoredSetup(present + 1, text, FORMAT, self._clock.now_ms(), by)
            try:
                await connection.execute(insert(setup_version), _values(row))
            except IntegrityError:
                raise StaleSetupError(present if seen_version is None else seen_version, present + 1) from None
            change = audit.Entry(by, "setup.put", "setup", old=str(present), new=str(row.version))
            await audit.write(connection, row.applied_at_ms, change)
        return row.version

    async def version(self, number: int) -> StoredSetup | None:
        """Return one version, None when there never was such a one."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(setup_version).where(setup_version.c.version == number))
            found = rows.mappings().first()
        return None if found is None else _stored(found)

    async def history(self, limit: int = 50, before: int | None = None) -> list[StoredSetup]:
        """List versions, newest first; `before` goes on from the last one of a page."""
        query = select(setup_version).order_by(setup_version.c.version.desc()).limit(min(limit, PAGE_MAX))
        if before is not None:
            query = query.where(setup_version.c.version < before)
        async with self._database.reading() as connection:
            return [_stored(row) for row in (await connection.execute(query)).mappings()]


def _stored(row: RowMapping) -> StoredSetup:
    return StoredSetup(**row)


def _values(row: StoredSetup) -> dict[str, object]:
    return {name: getattr(row, name) for name in StoredSetup.__slots__}
