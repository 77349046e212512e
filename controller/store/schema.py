"""The schema's history: which migration a database stands at, and the way up and down.

The migrations stand in `sql/` beside the package in a checkout, and under `share/tongdai/sql` of the environment once
the package is installed.

Alembic is loaded only when there is something to migrate: loading it takes a tenth of a start.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text

from controller.errors import LedgerError
from controller.store.tables import SCHEMA_REVISION

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATION_LOCK: Final = 0x746F6E67
"""PostgreSQL advisory lock: two programs that start together migrate one after the other."""
_CHECKOUT: Final = Path(__file__).resolve().parents[2] / "sql"
_STANDS_AT: Final = Table("alembic_version", MetaData(), Column("version_num", String))
"""Alembic's own table, which is no part of ours."""
_INSTALLED: Final = Path(sysconfig.get_path("data")) / "share" / "tongdai" / "sql"


def script_location() -> Path:
    """Return the folder of the migrations; LedgerError when the installation lacks it."""
    for folder in (_CHECKOUT, _INSTALLED):
        if (folder / "env.py").is_file():
            return folder
    raise LedgerError(f"the migrations are missing: neither {_CHECKOUT} nor {_INSTALLED} is there")


def revision(connection: Connection) -> str:
    """Name the migration this database stands at; empty when it has no tables of ours."""
    if not inspect(connection).has_table(_STANDS_AT.name):
        return ""
    return connection.scalar(select(_STANDS_AT.c.version_num)) or ""


def is_current(found: str) -> bool:
    """Whether the code fits a database at `found`; LedgerError when a newer program has been there."""
    if not found:
        return False
    if not found.isdigit() or int(found) > int(SCHEMA_REVISION):
        raise LedgerError(f"the database has schema {found}, newer than {SCHEMA_REVISION} of this program: update it")
    return found == SCHEMA_REVISION


def upgrade(connection: Connection) -> str:
    """Run every migration that is missing, in the transaction of `connection`."""
    from alembic import command  # noqa: PLC0415 - see the head of this module

    _lock(connection)
    command.upgrade(_config(connection), "head")
    return revision(connection)


def downgrade(connection: Connection, to: str) -> str:
    """Take migrations back, down to `to` (`base`: no tables at all)."""
    from alembic import command  # noqa: PLC0415 - see the head of this module

    _lock(connection)
    command.downgrade(_config(connection), to)
    return revision(connection)


def _lock(connection: Connection) -> None:
    """SQLite's own write lock is held already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - see the head of this module

    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
