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


class Arrears:
    """`folder` is the journal's."""

    def __init__(self, folder: Path, ledger: SqlLedger) -> None:
        self._folder = folder
        self._ledger = ledger
        self._books = ""
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
        """Write whatever lives that are over have left; what cannot be written now stays."""
        try:
            self._books = self._books or await self._ledger.name_of_books()
            for left in spool.left(self._folder, self._books):
                with contextlib.closing(left):
                    await self._settle(left)
        except (LedgerError, OSError) as error:
            self._log.warning("what an earlier life owed is not on the books yet", why=str(error))

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.hand_in()

    async def _settle(self, left: Left) -> None:
        whole = await self._ledger.settle(left)
        left.done()
        self._log.warning("an earlier life owed the books", turns=left.read, all_of_it=whole)
        if left.unread:
            self._log.error("turns of it cannot be read", turns=left.unread, folder=str(self._folder))
