"""Two daemons put back to the version before: its program leads on books of its own making, the other is not there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.faults import processes, versions
from tests.faults.pair import Pair
from tests.store.live_rows import FOLDER

KEPT = ("tokens", "setup_version")
"""What people put in, by which the tests go on: an administrator's token and the setup."""


async def go_back(pair: Pair, code: Path) -> None:
    """End both, make the books anew as the program in `code` makes them, and have it lead as the second daemon."""
    asked = asyncio.to_thread(versions.asked, pair.environment(code), pair.directory)
    (file, revision, tables), _ = await asyncio.gather(asked, pair.both_ended())
    assert file.is_relative_to(code)
    assert revision == versions.BEFORE
    assert tables == json.loads((FOLDER / f"tables_{revision}.json").read_text()), "as it is kept for the store's tests"
    async with pair.books() as session:
        kept = {name: await session.fetch(f"SELECT * FROM {name}") for name in KEPT}
        await session.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        migrate = ["-m", "controller", "migrate"]
        await asyncio.to_thread(versions.run, migrate, pair.environment(code), pair.directory)
        for name, rows in kept.items():
            known = tables[name]
            places = ", ".join(f"${n}" for n in range(1, len(known) + 1))
            add = f"INSERT INTO {name} ({', '.join(known)}) VALUES ({places})"
            await session.executemany(add, [[row[column] for column in known] for row in rows])
    pair.code = code
    pair.begin_other()
    await pair.leads("b")
    assert processes.environment(pair.daemon("b"))["PYTHONPATH"] == str(code)


async def revision(pair: Pair) -> str:
    """The schema their books stand at."""
    async with pair.books() as session:
        return str(await session.fetchval("SELECT version_num FROM alembic_version"))
