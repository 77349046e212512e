"""What the parlour needs from the house, as protocols: nothing here knows how any of it is done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry

from controller.core.answer import Answer
from controller.core.events import Event
from controller.core.facts import CallEnded
from controller.core.model import Alert
from controller.core.setup import Setup
from controller.core.trunks import Decision
from controller.core.world import World
from controller.lookup.service import Health
from controller.ports import Clock, Deed, Line, Said
from controller.store.numbers import ByHand, Held

__all__ = ["Clock", "Deps", "Engine", "Feed", "History", "SetupBooks", "Subscription", "Tokens"]


class Subscription(Protocol):
    """Facts as they are said, for one viewer. The iteration ends when the viewer was too slow; then `lost` is true."""

    @property
    def lost(self) -> bool: ...

    def __aiter__(self) -> AsyncIterator[Said]: ...

    def close(self) -> None: ...


class Feed(Protocol):
    """The latest facts, kept in memory, `first_seq` to `last_seq`."""

    @property
    def first_seq(self) -> int: ...

    @property
    def last_seq(self) -> int: ...

    def since(self, seq: int) -> list[Said]:
        """Facts with a number above `seq` that are still kept."""
        ...

    def subscribe(self) -> Subscription: ...


class Engine(Protocol):
    """The heart: its world to look at, and one door to ask through."""

    @property
    def world(self) -> World: ...

    @property
    def feed(self) -> Feed: ...

    @property
    def ready_parts(self) -> dict[str, str]: ...

    async def ask(self, event: Event, deed: Callable[[], Deed] | None = None) -> Answer:
        """Put a wish through the one door; unless it is refused, `deed` goes on the audit with what it changed."""
        ...

    async def written(self) -> None:
        """Return at a moment when the world shows nothing that a crash could take back."""
        ...

    def story(self, call: str) -> tuple[Line, ...]: ...


@dataclass(frozen=True, slots=True)
class CallsWanted:
    """Filters of the history; empty means every. `callers` are spellings of one number."""

    hotline: str = ""
    queue: str = ""
    agent: str = ""
    callers: tuple[str, ...] = ()
    result: str = ""
    direction: str = ""
    since_ms: int | None = None
    until_ms: int | None = None


class History(Protocol):
    """What ended, what was said, and what happened: the books, for reading."""

    async def calls(self, wanted: CallsWanted, *, before: tuple[int, str] | None, limit: int) -> Sequence[CallEnded]:
        """Ended calls by (arrived_at_ms, id), newest first, below `before`."""
        ...

    async def call(self, call: str) -> CallEnded | None: ...

    async def story(self, call: str) -> Sequence[Line]: ...

    async def facts(self, after: int, limit: int) -> Sequence[Said]:
        """Facts with a number above `after` that are still on the books, oldest first."""
        ...

    async def alerts(self, *, before: tuple[int, str] | None, limit: int) -> Sequence[Alert]:
        """Alerts by (raised_at_ms, id), newest first, below `before`."""
        ...


class TokenRow(Protocol):
    """What the books know about a token: its role (`admin`, `agent:an`, …) and the name it was made under."""

    @property
    def role(self) -> str: ...

    @property
    def name(self) -> str: ...


class Tokens(Protocol):
    """The books of tokens."""

    async def verify(self, token: str) -> TokenRow | None:
        """Return the token's row, None when it is unknown or revoked."""
        ...


class StoredSetup(Protocol):
    """A version of the setup as it was put in."""

    @property
    def version(self) -> int: ...

    @property
    def text(self) -> str: ...


class SetupBooks(Protocol):
    """The books of setups."""

    async def current(self) -> StoredSetup: ...


Explain = Callable[[str, str, str], Awaitable[Decision]]
"""Decides about (to, hotline or adaptive name, agent) as the dial path would, without reserving anything."""

LookUp = Callable[[str], Awaitable[tuple[str, str]]]
"""The operator of a number by tables and services outside the core, and which of them knew; empty when none did."""


class NumberBooks(Protocol):
    """The books of single numbers."""

    @property
    def held(self) -> Held: ...

    async def by_hand(self) -> Sequence[ByHand]:
        """Every number whose carrier somebody named, in the order of the numbers."""
        ...

    async def name_carrier(self, number: str, carrier: str, at_ms: int, by: str, note: str = "") -> None:
        """Name the carrier of a number, or with an empty one take back what was named; audited."""
        ...

    async def refresh(self) -> bool: ...


class LookupView(Protocol):
    """The look-up service, to be looked at."""

    @property
    def health(self) -> Health: ...


ApplySetup = Callable[[str, int | None, str], Awaitable[int]]
"""Puts (text as TOML, version its author saw or None, by) in force and returns the new version, once the engine has it.

SetupError when it makes no sense, StaleSetupError when somebody else was first."""

ParseSetup = Callable[[str, str], Setup]
"""Reads (text as TOML, place named in mistakes) and checks it; SetupError tells every mistake."""


@dataclass(frozen=True)
class Deps:
    """The rooms behind the API."""

    engine: Engine
    history: History
    tokens: Tokens
    setups: SetupBooks
    apply_setup: ApplySetup
    parse_setup: ParseSetup
    explain: Explain
    look_up: LookUp
    numbers: NumberBooks
    lookup: LookupView | None
    refresh: Callable[[], Awaitable[None]]
    metrics: CollectorRegistry
    clock: Clock
