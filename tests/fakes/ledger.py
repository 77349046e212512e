"""A ledger in memory that keeps the promises of the real ones: it passes the same contract tests (tests/store)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from controller.core import codec
from controller.core.facts import CallEnded
from controller.core.model import Pbx
from controller.core.setup import Setup
from controller.errors import LeadLostError, LedgerError
from controller.ports import Debt, Deed, Line, Loaded, Said, Turn
from controller.store.turns import ended_in, history_of


@dataclass
class Books:
    """What survives a restart: give the same books to the next `FakeLedger`."""

    setup: Setup = field(default_factory=Setup)
    live: dict[tuple[str, str], str] = field(default_factory=dict)
    facts: dict[int, Said] = field(default_factory=dict)
    calls: dict[str, CallEnded] = field(default_factory=dict)
    stories: dict[str, dict[str, tuple[Line, ...]]] = field(default_factory=dict)
    deeds: dict[str, Deed] = field(default_factory=dict)
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    leader: FakeLedger | None = None

    def story(self, call: str) -> list[Line]:
        return [line for part in self.stories.get(call, {}).values() for line in part]


class FakeLedger:
    """`ports.Ledger` in memory.

    `failing`: so many of the next commits fail, nothing written. `vanishing`: so many of the next commits are written
    and fail all the same (the answer got lost). `delay_s`: how long a commit takes.
    """

    def __init__(self, books: Books | None = None) -> None:
        self.books = books or Books()
        self.failing = 0
        self.vanishing = 0
        self.delay_s = 0.0
        self.commits = 0
        self._led = False
        self.holder = secrets.token_hex(8)
        self.followed = ""

    async def name_of_books(self) -> str:
        return self.books.name

    async def settle(self, debt: Debt) -> bool:
        leads = self.books.leader is not None and self.books.leader.holder in debt.holder.split("+")
        last = max((said.seq for turn in debt.turns() for said in turn.facts), default=None)
        first = next((said for turn in debt.turns() for said in turn.facts), None)
        same = first is None or self.books.facts.get(first.seq, first) == first
        if leads and same and (last is None or last >= max(self.books.facts, default=0)):
            for turn in debt.turns():
                self._write(turn)
            return True
        live = {name for kind, name in self.books.live if kind == "call"}
        unknown = set(ended_in(debt.turns())) - live - set(self.books.calls)
        for turn in debt.turns():
            late = history_of(turn, unknown)
            self._write(replace(late, facts=()))
            self._history(late)
        return False

    async def load(self, *, look: bool = False) -> Loaded:
        """`look` takes the lead all the same: books in memory can always be written."""
        self._led, self.books.leader = True, self
        entities, unread = [], []
        for kind, name in sorted(self.books.live):
            try:
                entities.append(codec.loads(self.books.live[kind, name]))
            except ValueError as error:
                unread.append(f"live row {kind} {name}: {error}")
                del self.books.live[kind, name]
        return Loaded(
            setup=self.books.setup,
            entities=tuple(entities),
            last_seq=max(self.books.facts, default=0),
            boot=next((row.boot for row in entities if isinstance(row, Pbx)), ""),
            quarantined=tuple(unread),
            over=tuple(self.books.calls),
        )

    async def commit(self, turns: Sequence[Turn]) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.failing:
            self.failing -= 1
            raise LedgerError("the books are closed")
        if self._led and self.books.leader is not self:
            raise LeadLostError("another controller writes to these books now")
        self._led, self.books.leader = True, self
        self.commits += 1
        for turn in turns:
            self._write(turn)
        if self.vanishing:
            self.vanishing -= 1
            raise LedgerError("no answer in time")

    async def close(self) -> None:
        """Nothing is open."""

    def _write(self, turn: Turn) -> None:
        for change in turn.changes:
            if change.after is None:
                self.books.live.pop((change.kind, change.id), None)
            else:
                self.books.live[change.kind, change.id] = codec.dumps_live(change.after)
        for said in turn.facts:
            self.books.facts.setdefault(said.seq, said)
        self._history(turn)
        for deed in turn.deeds:
            self.books.deeds.setdefault(deed.key, deed)
        for call, lines in turn.stories:
            part = repr(lines)
            self.books.stories.setdefault(call, {})[part] = lines

    def _history(self, turn: Turn) -> None:
        for said in turn.facts:
            if isinstance(said.fact, CallEnded):
                self.books.calls.setdefault(said.fact.call, said.fact)
