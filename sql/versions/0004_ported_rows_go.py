"""The rows of ported numbers go: since 0003 they stand in blocks, and 0002 was the last whose program read them.

No program of 0003 or later touches the table, so its lock holds up nobody but a copy of the whole database being made.
A database that came through 0003 in its first days has no such table any more.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Drop the table where it is."""
    op.drop_table("ported", if_exists=True)


def downgrade() -> None:
    """Make the table again, empty: the program of 0003 does not read it, and going down to 0002 fills it."""
    op.create_table(
        "ported",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("imported_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_ported"),
    )
