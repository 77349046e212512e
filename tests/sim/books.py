"""The ledger of a simulated life: `FakeLedger` (which passes the contract of the real ones) behind bad weather."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from controller.errors import LedgerError
from controller.ports import Debt, Loaded, Turn
from controller.spool import Spool
from tests.fakes.ledger import Books, FakeLedger

HANGS_S = 5.0


@dataclass
class Shelf:
    """How the database is: `fine`, `down`, `slow` (`slow_s` a commit), `hangs`, or `lossy` (done, the answer lost)."""

    kind: str = "fine"
    slow_s: float = 0.2


class SimLedger(FakeLedger):
    """One process's hold on the books. `dead`: the process is gone."""

    def __init__(self, books: Books, shelf: Shelf, dice: Random) -> None:
        super().__init__(books)
        self.dead = False
        self._shelf = shelf
        self._dice = dice

    async def load(self) -> Loaded:
        await self._open()
        return await super().load()

    async def settle(self, debt: Debt) -> bool:
        await self._open()
        return await super().settle(debt)

    async def _open(self) -> None:
        while self._shelf.kind == "down":  # noqa: ASYNC110  # a database is asked again, it does not call back
            await asyncio.sleep(0.5)

    async def commit(self, turns: Sequence[Turn]) -> None:
        kind = self._shelf.kind
        if kind in {"slow", "hangs"}:
            await asyncio.sleep(self._shelf.slow_s if kind == "slow" else HANGS_S * self._dice.random())
        if self.dead:
            await asyncio.Event().wait()
        if self._shelf.kind == "down":
            raise LedgerError("the books are closed")
        await super().commit(turns)
        if kind == "lossy" and self._dice.random() < 0.5:
            raise LedgerError("no answer in time")


class SimSpool(Spool):
    """A spool in memory, which survives its life as the file does; nobody hands it in before that is `over`."""

    def __init__(self, holder: str) -> None:
        super().__init__(None)
        self.holder = holder
        self.over = False
        self._turns: list[Turn] = []

    def keep(self, turns: Sequence[Turn]) -> None:
        self._turns.extend(turns)
        self.kept = len(self._turns)

    def read(self, first: int, many: int) -> list[Turn]:
        return self._turns[first : first + many]

    def turns(self) -> Sequence[Turn]:
        return tuple(self._turns)

    def clear(self) -> None:
        self._turns.clear()
        self.kept = 0
