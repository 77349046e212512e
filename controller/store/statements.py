"""What a commit of the ledger can say, compiled once per kind of database.

A commit must cost microseconds, so the ledger hands finished SQL and tuples to the driver (`docs/database.md` has the
figures). The SQL still comes from `store.tables`: one vocabulary, two spellings.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BindParameter, Select, Table, bindparam, delete, exists, literal_column, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.dml import Delete, Insert, Update

from controller.store import tables as t

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

Row = tuple[Any, ...]
"""Values of one row, in the order of the statement's names."""

SQLITE: Final[Dialect] = sqlite.dialect(paramstyle="qmark")
KNOWN_ALL: Final = 2**62
"""As `known_to`: beyond every fact's number."""


def postgres_dialect() -> Dialect:
    """How PostgreSQL spells SQL; loaded late, because most houses have SQLite and a start must be short."""
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

    found: Dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy left it out
    return found


def insert_for(dialect: Dialect, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that may say `on_conflict_…`, which both spell alike and SQLAlchemy has twice."""
    if dialect.name == SQLITE.name:
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see `postgres_dialect`

    return postgresql.insert(table)


def _columns(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


NAMES: Final[dict[str, tuple[str, ...]]] = {
    "lead_take": ("holder", "unless_holder", "known_to"),
    "lead_who": (),
    "lead_turn": ("turn", "of_holder", "under"),
    "live_put": _columns(t.live),
    "live_drop": ("of_kind", "of_id"),
    "fact": _columns(t.facts),
    "call": _columns(t.calls),
    "offer": _columns(t.offers),
    "offer_end": _columns(t.offers),
    "offer_answer": ("at_ms", "of_call", "of_agent", "until_ms"),
    "alert": _columns(t.alerts),
    "alert_clear": ("at_ms", "of_id"),
    "story": _columns(t.stories),
    "deed": ("at_ms", "who", "action", "subject", "old", "new", "key"),
}
"""Parameters of each statement, and the order in which one commit says them."""

INSERTS: Final = frozenset({"live_put", "fact", "call", "offer", "offer_end", "alert", "story"})
"""Statements that may take several rows at once (`several`)."""


@cache
def several(insert: str, rows: int) -> str:
    """The same insert for so many rows at once, as SQLite takes it; the values of one row follow those of another."""
    head, values, tail = insert.partition("VALUES (")
    marks, _, rest = tail.partition(")")
    return f"{head}VALUES {', '.join([f'({marks})'] * rows)}{rest}" if values else insert


def compiled(dialect: Dialect) -> dict[str, str]:
    """Return the SQL of every statement; its parameters are checked to stand as `NAMES` promises."""
    sql: dict[str, str] = {}
    for name, statement in statements(dialect).items():
        done = statement.compile(dialect=dialect)
        order = tuple(getattr(done, "positiontup", None) or ())
        if order != NAMES[name]:
            raise AssertionError(f"{name} wants {order}, not {NAMES[name]}")
        sql[name] = str(done)
    return sql


def statements(dialect: Dialect) -> dict[str, Insert | Update | Delete | Select[Any]]:
    """Every statement; `NAMES` has its parameters."""
    return {
        "lead_take": lead_take(),
        "lead_who": select(t.lead.c.holder),
        "lead_turn": _lead_turn(),
        "live_put": _put(t.live, dialect, ("schema", "body")),
        "live_drop": delete(t.live).where(t.live.c.kind == bindparam("of_kind"), t.live.c.id == bindparam("of_id")),
        "fact": _put(t.facts, dialect),
        "call": _put(t.calls, dialect),
        "offer": _put(t.offers, dialect),
        "offer_end": _put(t.offers, dialect, ("ended_at_ms", "outcome")),
        "offer_answer": _offer_answer(),
        "alert": _put(t.alerts, dialect),
        "alert_clear": _alert_clear(),
        "story": _put(t.stories, dialect),
        "deed": _deed(dialect),
    }


def _put(table: Table, dialect: Dialect, replaced: tuple[str, ...] = ()) -> Insert:
    """Insert rows; one that is there already has its `replaced` columns written over, or stays as it is."""
    values: dict[str, BindParameter[Any]] = {column.name: bindparam(column.name) for column in table.columns}
    insert = insert_for(dialect, table).values(values)
    if not replaced:
        return insert.on_conflict_do_nothing()
    keys = list(table.primary_key.columns)
    return insert.on_conflict_do_update(index_elements=keys, set_={name: insert.excluded[name] for name in replaced})


def _deed(dialect: Dialect) -> Insert:
    """Insert an audit row unless its key is there; the database numbers it."""
    insert = insert_for(dialect, t.audit).inline()
    return insert.values({name: bindparam(name) for name in NAMES["deed"]}).on_conflict_do_nothing()


def lead_take() -> Update:
    """Take the lead over from whoever has it; nothing happens when it is ours, or somebody told facts we never read."""
    stmt = update(t.lead).values(holder=bindparam("holder"), turn=literal_column("0"))
    unread = exists().where(t.facts.c.seq > bindparam("known_to"))
    return stmt.where(t.lead.c.holder != bindparam("unless_holder"), ~unread)


def _lead_turn() -> Update:
    """Count our commit; no row is touched when the lead is another's, or when a later commit of ours is written."""
    stmt = update(t.lead).values(turn=bindparam("turn"))
    return stmt.where(t.lead.c.holder == bindparam("of_holder"), t.lead.c.turn < bindparam("under"))


def _offer_answer() -> Update:
    """Mark the offer that led to an answer: the open one of this call at this agent."""
    stmt = update(t.offers).values(ended_at_ms=bindparam("at_ms"), outcome=literal_column("'answered'"))
    return stmt.where(
        t.offers.c.call == bindparam("of_call"),
        t.offers.c.agent == bindparam("of_agent"),
        t.offers.c.outcome == literal_column("''"),
        t.offers.c.offered_at_ms <= bindparam("until_ms"),
    )


def _alert_clear() -> Update:
    stmt = update(t.alerts).values(cleared_at_ms=bindparam("at_ms"))
    return stmt.where(t.alerts.c.id == bindparam("of_id"), t.alerts.c.cleared_at_ms.is_(None))
