"""The first books: live rows, history, setup versions, tokens, imported numbers and the audit.

A migration is history itself: it repeats what the tables were on its day and imports nothing of the program.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    _live()
    _history()
    _given()
    _audit()


def downgrade() -> None:
    """Remove every table, and what kept the audit from being altered."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_keep ON audit")
        op.execute("DROP FUNCTION tongdai_keep_audit()")
    for table in (
        *("audit", "blocked", "ported", "tokens", "setup_version"),
        *("stories", "alerts", "offers", "calls", "facts"),
        *("live_quarantine", "live", "lead", "meta"),
    ):
        op.drop_table(table)


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _at(name: str, *, known: bool = True) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=not known)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), autoincrement=False, nullable=False)


def _own(name: str, *, counted: bool) -> sa.Column[int]:
    return sa.Column(name, _number(), autoincrement=counted, nullable=False)


def _table(name: str, *columns: sa.Column[int] | sa.Column[str], key: tuple[str, ...]) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"))


def _index(table: str, *columns: str, unique: bool = False) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns), unique=unique)


def _live() -> None:
    _table("meta", *_text("name", "value"), key=("name",))
    _table("lead", _count("id"), *_text("holder"), _at("turn"), key=("id",))
    op.execute("INSERT INTO lead (id, holder, turn) VALUES (1, '', 0)")
    _table("live", *_text("kind", "id"), _count("schema"), *_text("body"), key=("kind", "id"))
    columns = [_own("n", counted=True), _at("at_ms"), *_text("kind", "id"), _count("schema"), *_text("body", "reason")]
    _table("live_quarantine", *columns, key=("n",))
    _table("facts", _own("seq", counted=False), _at("at_ms"), *_text("call", "type", "body"), key=("seq",))


def _history() -> None:
    _table(
        "calls",
        *_text("id", "direction", "hotline", "caller", "callee", "queue", "agent"),
        *(_at("arrived_at_ms"), _at("queued_at_ms", known=False), _at("answered_at_ms", known=False)),
        _at("ended_at_ms"),
        *_text("result", "end_cause", "reason", "via", "trunk", "carrier", "caller_id", "recording"),
        _count("offers"),
        key=("id",),
    )
    _index("calls", "arrived_at_ms", "id")
    for column in ("hotline", "queue", "agent", "caller"):
        _index("calls", column, "arrived_at_ms", "id")
    times = (_at("offered_at_ms"), _at("ended_at_ms", known=False))
    _table("offers", *_text("leg", "call", "queue", "agent", "why"), *times, *_text("outcome"), key=("leg",))
    _index("offers", "call", "offered_at_ms")
    _table(
        "alerts",
        *_text("id", "kind", "call", "hotline", "queue", "agent"),
        _count("limit_s"),
        *(_at("raised_at_ms"), _at("cleared_at_ms", known=False)),
        key=("id",),
    )
    _index("alerts", "raised_at_ms", "id")
    lines = sa.Column("lines", sa.LargeBinary(), nullable=False)
    _table("stories", *_text("call", "part"), _at("at_ms"), lines, key=("call", "part"))
    _index("stories", "at_ms")


def _given() -> None:
    columns = [_count("version"), *_text("text", "format"), _at("applied_at_ms"), *_text("applied_by")]
    _table("setup_version", *columns, key=("version",))
    times = (_at("created_at_ms"), _at("revoked_at_ms", known=False))
    _table("tokens", _own("id", counted=True), *_text("name", "role", "hash"), *times, key=("id",))
    _index("tokens", "hash", unique=True)
    imported = [*_text("source"), _at("imported_at_ms")]
    _table("ported", _own("number", counted=False), *_text("carrier"), *imported, key=("number",))
    prefix = sa.Column("prefix", sa.Boolean(), nullable=False)
    imported = [*_text("scopes"), _at("until_ms", known=False), *_text("source"), _at("imported_at_ms")]
    _table("blocked", *_text("number"), prefix, *imported, key=("number", "prefix"))


def _audit() -> None:
    columns = [_own("n", counted=True), _at("at_ms"), *_text("who", "action", "subject", "old", "new")]
    _table("audit", *columns, key=("n",))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION tongdai_keep_audit() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'audit rows are kept as they are'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION tongdai_keep_audit()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_keep_{verb.lower()} BEFORE {verb} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'audit rows are kept as they are'); END"
        )
