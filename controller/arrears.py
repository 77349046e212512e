"""What earlier lives on the same books still owe them, handed in at a start and by whoever leads.

A life leaves a file when it ends while the books are away from it (`controller.spool`). Where two daemons share the
folder of the journal, the one that leads hands in what the other left; otherwise the other does so when it starts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from controller import spool
from controller.core.model import Pbx, key_of
from controller.errors import LedgerError
from controller.ports import Loaded, Turn
from controller.spool import Left, Spool
from controller.store.ledger import SqlLedger
from controller.store.settling import BOTH
from controller.store.turns import ended_in

LOOK_EVERY_S: Final = 2.0
FAILED_MAX: Final = 2
"""After so many that cannot be written we look again later: books that are locked keep each of them for seconds."""


class Arrears:
    """`folder` is the journal's."""

    def __init__(self, folder: Path, ledger: SqlLedger) -> None:
        self._folder = folder
        self._ledger = ledger
        self._books = ""
        self._locked = False
        self._told: dict[str, None] = {}
        self._log = structlog.get_logger("store")

    async def begin(self) -> tuple[Loaded, Spool]:
        """Load the books, and return a spool for our own life; one that keeps nothing while they have no name.

        Where they could not be written, we go on with what the life before us owed, as if it were our own.
        """
        loaded = await self._ledger.load(look=self._locked)
        try:
            self._books = self._books or await self._ledger.name_of_books()
        except LedgerError as error:
            self._log.warning("nothing is kept on disk for these books", why=str(error))
            return loaded, Spool(None)
        if not self._ledger.followed:
            return loaded, Spool(self._folder, self._books, self._ledger.holder)
        return self._going_on(loaded, self._ledger.followed)

    def _going_on(self, loaded: Loaded, followed: str) -> tuple[Loaded, Spool]:
        holder = f"{followed}{BOTH}{self._ledger.holder}"
        for left in spool.left(self._folder, self._books, self._put_off):
            with contextlib.closing(left):
                if followed not in left.holder.split(BOTH):
                    continue
                found = gone_on(loaded, left.turns())
                if left.unread or found.last_seq < loaded.last_seq:
                    continue
                with contextlib.suppress(OSError):
                    kept = Spool.going_on(left, self._books, holder)
                    self._log.warning("the books cannot be written: what an earlier life owed is ours", turns=kept.kept)
                    return found, kept
        return loaded, Spool(self._folder, self._books, holder)

    async def hand_in(self) -> None:
        """Write whatever lives that are over have left; what cannot be written now stays. Never raises."""
        try:
            self._books = self._books or await self._ledger.name_of_books()
        except LedgerError as error:
            self._locked = True
            self._put_off(error)
            return
        failed, self._locked = 0, False
        for left in spool.left(self._folder, self._books, self._put_off):
            with contextlib.closing(left):
                failed += not await self._settled(left)
            if failed == FAILED_MAX:
                return

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.hand_in()

    async def _settled(self, left: Left) -> bool:
        """Settle one; whatever is wrong with a file concerns this file only."""
        if left.path.name not in self._told:
            self._told[left.path.name] = None
            self._log.info("what an earlier life owed is handed in", file=left.path.name, bytes=left.size)
        try:
            whole = await self._ledger.settle(left)
            left.done()
        except (LedgerError, OSError) as error:
            self._locked = self._locked or isinstance(error, LedgerError)
            self._put_off(error)
            return False
        except Exception:  # noqa: BLE001 - a file nobody can make sense of must not keep calls waiting
            self._log.exception("what an earlier life owed cannot be made sense of", file=left.path.name)
            return False
        self._log.warning("an earlier life owed the books", turns=left.read, all_of_it=whole)
        if left.unread:
            self._log.error("turns of it cannot be read", turns=left.unread, folder=str(self._folder))
        return True

    def _put_off(self, error: Exception) -> None:
        """Say it once, not at every look."""
        if str(error) not in self._told:
            self._told[str(error)] = None
            self._log.warning("what an earlier life owed is not on the books yet", why=str(error))


def gone_on(loaded: Loaded, turns: Iterable[Turn]) -> Loaded:
    """Return the world as these turns left it."""
    rows = {key_of(row): row for row in loaded.entities}
    last_seq, over = 0, list(loaded.over)
    for turn in turns:
        for change in turn.changes:
            rows.pop((change.kind, change.id), None)
            if change.after is not None:
                rows[change.kind, change.id] = change.after
        last_seq = max(last_seq, *(said.seq for said in turn.facts), 0)
        over += ended_in((turn,))
    boot = next((row.boot for row in rows.values() if isinstance(row, Pbx)), "")
    entities = tuple(rows[key] for key in sorted(rows))
    return replace(loaded, entities=entities, last_seq=last_seq or loaded.last_seq, boot=boot, over=tuple(over))
