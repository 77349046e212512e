"""Who leads on a shared server, and audit rows the ledger may write twice.

Both are additions: a controller of the version before goes on beside them (docs/standby.md).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the lease and the key of an audit row."""
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("holder", "name", "url")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("epoch", "beat")),
        sa.PrimaryKeyConstraint("id", name="pk_lease"),
    )
    op.execute("INSERT INTO lease (id, holder, name, url, epoch, beat) VALUES (1, '', '', '', 0, 0)")
    op.add_column("audit", sa.Column("key", sa.Text(), nullable=True))
    op.create_index("ix_audit_key", "audit", ["key"], unique=True)


def downgrade() -> None:
    """Take both away."""
    op.drop_index("ix_audit_key", table_name="audit")
    op.drop_column("audit", "key")
    op.drop_table("lease")
