"""Every table of the books, one vocabulary for SQLite and PostgreSQL.

Three kinds. *Live* rows (`live`) are the world as JSON, one row an entity, and what a restart begins from. *History*
(`calls`, `offers`, `alerts`, `stories`) is written from facts and never read to decide anything. What people put in
is `setup_version`, `tokens`, `ported_…`, `number_carrier` and `blocked`, and `audit` says who did.

Times are `*_ms`, milliseconds since the Unix epoch, UTC. The migrations in `sql/versions` make these tables; a test
compares the two, so a change here without a migration does not pass.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

SCHEMA_REVISION: Final = "0004"
"""The migration this code was written for: an older database is upgraded, a newer one refused."""

LIVE_SCHEMA: Final = 1
"""Shape of the JSON in `live`; a row with a higher number was written by a newer program and is quarantined."""

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"},
)

_KEY = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows itself only where the type is exactly INTEGER."""


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _at(name: str, *, known: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=not known)


meta = Table("meta", metadata, _text("name", key=True), _text("value"))
"""Single values, by which a daemon sees that something changed: `numbers` counts imports of blocked numbers, `ported`
is the edition in force, `carriers_by_hand` counts changes of `number_carrier`; `books` names these books for good."""

lead = Table(
    "lead",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _text("holder"),
    Column("turn", BigInteger, nullable=False),
)
"""One row: who writes the live rows, and the number of its last commit. Another's commit is void; so is a late one."""

lease = Table(
    "lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _text("holder"),
    _text("name"),
    _text("url"),
    Column("epoch", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
)
"""One row: who leads on PostgreSQL. `epoch` counts leads, `beat` goes up while its holder lives (docs/standby.md).

Apart from `lead`, because a long commit keeps that row for itself.
"""

live = Table("live", metadata, _text("kind", key=True), _text("id", key=True), _count("schema"), _text("body"))

live_quarantine = Table(
    "live_quarantine",
    metadata,
    Column("n", _KEY, primary_key=True, autoincrement=True),
    _at("at_ms"),
    _text("kind"),
    _text("id"),
    _count("schema"),
    _text("body"),
    _text("reason"),
)
"""Live rows that could not be read, kept for the person who asks why."""

facts = Table(
    "facts",
    metadata,
    Column("seq", _KEY, primary_key=True, autoincrement=False),
    _at("at_ms"),
    _text("call"),
    _text("type"),
    _text("body"),
)

calls = Table(
    "calls",
    metadata,
    _text("id", key=True),
    _text("direction"),
    _text("hotline"),
    _text("caller"),
    _text("callee"),
    _text("queue"),
    _text("agent"),
    _at("arrived_at_ms"),
    _at("queued_at_ms", known=False),
    _at("answered_at_ms", known=False),
    _at("ended_at_ms"),
    _text("result"),
    _text("end_cause"),
    _text("reason"),
    _text("via"),
    _text("trunk"),
    _text("carrier"),
    _text("caller_id"),
    _text("recording"),
    _count("offers"),
    Index(None, "arrived_at_ms", "id"),
    Index(None, "hotline", "arrived_at_ms", "id"),
    Index(None, "queue", "arrived_at_ms", "id"),
    Index(None, "agent", "arrived_at_ms", "id"),
    Index(None, "caller", "arrived_at_ms", "id"),
)
"""One row an ended call: the columns of `facts.CallEnded`, in its order."""

offers = Table(
    "offers",
    metadata,
    _text("leg", key=True),
    _text("call"),
    _text("queue"),
    _text("agent"),
    _text("why"),
    _at("offered_at_ms"),
    _at("ended_at_ms", known=False),
    _text("outcome"),
    Index(None, "call", "offered_at_ms"),
)
"""One row each time an agent was rung; `outcome` is empty while it rings, `answered`, or the word of `OfferEnded`."""

alerts = Table(
    "alerts",
    metadata,
    _text("id", key=True),
    _text("kind"),
    _text("call"),
    _text("hotline"),
    _text("queue"),
    _text("agent"),
    _count("limit_s"),
    _at("raised_at_ms"),
    _at("cleared_at_ms", known=False),
    Index(None, "raised_at_ms", "id"),
)

stories = Table(
    "stories",
    metadata,
    _text("call", key=True),
    _text("part", key=True),
    _at("at_ms"),
    Column("lines", LargeBinary, nullable=False),
    Index(None, "at_ms"),
)
"""Lines of a story, zlib over one JSON array a line. `part` is a digest of them: written twice it stands there once."""

setup_version = Table(
    "setup_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("text"),
    _text("format"),
    _at("applied_at_ms"),
    _text("applied_by"),
)
"""Every setup that was ever in force; the highest version is."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", _KEY, primary_key=True, autoincrement=True),
    _text("name"),
    _text("role"),
    _text("hash"),
    _at("created_at_ms"),
    _at("revoked_at_ms", known=False),
    Index(None, "hash", unique=True),
)
"""API tokens. `hash` is SHA-256 of the secret, which nobody but its owner has."""

ported_edition = Table(
    "ported_edition",
    metadata,
    Column("edition", _KEY, primary_key=True, autoincrement=False),
    Column("rows", BigInteger, nullable=False),
    _at("made_at_ms"),
    _text("carriers"),
    _text("lists"),
)
"""One state of the table of ported numbers; `meta.ported` names the one in force, any other is unfinished or over.

`carriers` is a JSON list of names and `lists` of [name, time of its import, rows]: the words in the blocks refer to
both by place (`controller.core.ported`). A list whose name is empty is a place to be used again.
"""

ported_block = Table(
    "ported_block",
    metadata,
    Column("edition", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    _count("rows"),
    Column("crc", BigInteger, nullable=False),
    Column("words", LargeBinary, nullable=False),
)
"""Subscribers who changed operator, some thousand a block; `first` is its first number, `crc` CRC-32 of `words`."""

number_carrier = Table(
    "number_carrier",
    metadata,
    Column("number", _KEY, primary_key=True, autoincrement=False),
    _text("carrier"),
    _text("note"),
    _text("by_whom"),
    _at("at_ms"),
)
"""Carriers of single numbers as people named them, winning over every list. `number` is E.164 without the plus."""

blocked = Table(
    "blocked",
    metadata,
    _text("number", key=True),
    Column("prefix", Boolean, primary_key=True, nullable=False),
    _text("scopes"),
    _at("until_ms", known=False),
    _text("source"),
    _at("imported_at_ms"),
)
"""Numbers and prefixes kept out, as imported; `scopes` are words with commas between."""

audit = Table(
    "audit",
    metadata,
    Column("n", _KEY, primary_key=True, autoincrement=True),
    _at("at_ms"),
    _text("who"),
    _text("action"),
    _text("subject"),
    _text("old"),
    _text("new"),
    Column("key", Text, nullable=True),
    Index(None, "key", unique=True),
)
"""Who changed what, in the transaction of the change. Triggers refuse to alter or remove a row.

`key` names a row of the ledger, which may write it twice; rows that cannot be repeated have none.
"""
