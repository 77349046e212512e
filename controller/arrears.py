"""What earlier lives on the same books still owe them, handed in at a start and by whoever leads.

A life leaves a file when it ends while the books are away from it (`controller.spool`). Where two daemons share the
folder of the journal, the one that leads hands in what the other left; otherwise the other does so when it starts.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import structlog

from controller import spool
from controller.errors import LedgerError
from controller.spool import Left, Spool
from controller.store.ledger import SqlLedger

LOOK_EVERY_S: Final = 2.0
FAILED_MAX: Final = 2
"""After so many that cannot be written we look again later: books that are locked keep each of them for seconds."""


class Arrears:
    """`folder` is the journal's."""

    def __init__(self, folder: Path, ledger: SqlLedger) -> None:
        self._folder = folder
        self._ledger = ledger
        self._books = ""
        self._told: dict[str, None] = {}
        self._log = structlog.get_logger("store")

    async def spool(self) -> Spool:
        """Return a spool for our own life; one that keeps nothing while these books cannot be given a name."""
        try:
            self._books = self._books or await self._ledger.name_of_books()
        except LedgerError as error:
            self._log.warning("nothing is kept on disk for these books", why=str(error))
            return Spool(None)
        return Spool(self._folder, self._books, self._ledger.holder)

    async def hand_in(self) -> None:
        """Write whatever lives that are over have left; what cannot be written now stays. Never raises."""
        try:
            self._books = self._books or await self._ledger.name_of_books()
        except LedgerError as error:
            self._put_off(error)
            return
        failed = 0
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
