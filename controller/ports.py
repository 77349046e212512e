"""What the engine needs from the rooms above it, as protocols: telephone, ledger, bell, clock, journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from controller.core.commands import Command, ReplyTrunks
from controller.core.events import Event, SnapshotTaken
from controller.core.facts import Fact
from controller.core.model import Alert, Change, Entity
from controller.core.setup import Setup

EventSink = Callable[[Event], None]
"""Where a door puts what happened; never blocks, never raises."""


class Clock(Protocol):
    """Wall-clock time."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...


class Telephone(Protocol):
    """Asterisk, for those who command it."""

    async def run(self, command: Command) -> None:
        """Carry out one command; TelephoneError when Asterisk refuses or is silent past the time limit."""
        ...

    async def snapshot(self) -> SnapshotTaken:
        """Everything Asterisk has now that concerns us."""
        ...

    async def watch_phones(self, endpoints: Sequence[str]) -> None:
        """Be told about these PJSIP endpoints from now on (`PhoneChanged`, `PhoneChannel`), and about no others."""
        ...


class DialPath(Protocol):
    """The side door: whoever waits for an answer to `OutboundAsked` or `OutboundNextAsked`."""

    def reply(self, command: ReplyTrunks) -> None:
        """Hand the decision to the waiting session; ignored when nobody waits any more."""
        ...


class Bell(Protocol):
    """Webhooks for alerts: bounded, retried, never waited for."""

    def ring(self, alert: Alert, change: str, setup: Setup) -> None:
        """Queue a notice that `alert` was `raised` or `cleared`."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a story or of the journal. `kind` is event, fact or command; `body` its JSON object."""

    at_ms: int
    call: str
    kind: str
    name: str
    cause: str
    body: dict[str, object]

    @classmethod
    def of(cls, call: str, row: Sequence[Any]) -> Line:
        """Read a line of this call back from its `row`; ValueError when it is none."""
        at_ms, kind, name, cause, body = row
        return cls(at_ms, call, kind, name, cause, body)

    @property
    def row(self) -> tuple[Any, ...]:
        """What is kept of it where its call is known."""
        return self.at_ms, self.kind, self.name, self.cause, self.body


@dataclass(frozen=True, slots=True)
class Said:
    """A fact with its place in the one order of facts; `seq` is what `Last-Event-ID` refers to."""

    seq: int
    at_ms: int
    fact: Fact


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody changed by hand, as the audit tells it: `action` is a word such as `agent.status`.

    `old` and `new` never hold a secret. `key` makes it one row however often its turn is written.
    """

    who: str
    action: str
    subject: str
    old: str = ""
    new: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the engine owes the ledger: written in one transaction or not at all."""

    at_ms: int
    changes: tuple[Change, ...] = ()
    facts: tuple[Said, ...] = ()
    stories: tuple[tuple[str, tuple[Line, ...]], ...] = ()
    deeds: tuple[Deed, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the ledger knew when we started.

    `over` are the calls that ended last, oldest first: nothing begins one of them again. `quarantined` names live rows
    that could not be read, one line each.
    """

    setup: Setup
    entities: tuple[Entity, ...] = ()
    last_seq: int = 0
    boot: str = ""
    quarantined: tuple[str, ...] = field(default=())
    over: tuple[str, ...] = ()


class Debt(Protocol):
    """What a life that is over still owed the books."""

    @property
    def holder(self) -> str:
        """The name it led under; before it, with a `+`, the one it followed without taking the lead first."""
        ...

    def turns(self) -> Iterable[Turn]:
        """Its turns in order; may be asked again."""
        ...


class Ledger(Protocol):
    """The books: rows survive us."""

    async def settle(self, debt: Debt) -> bool:
        """Write what an earlier life owed, before `load`; LedgerError and nothing written when it fails.

        True when nobody has led since: then all of it is written. Otherwise somebody else has gone on from the rows
        as they were, and only calls nobody else knows are added to the history, and what people did to the audit.
        """
        ...

    async def load(self) -> Loaded:
        """Take the lead and read the setup in force and every live row: nobody else commits from here on."""
        ...

    async def commit(self, turns: Sequence[Turn]) -> None:
        """Write these turns, in order, in one transaction; LedgerError and nothing written when it fails."""
        ...
