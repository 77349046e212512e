"""Ported numbers in blocks of sorted words instead of a row each, and carriers named by hand.

Ten million rows are twelve hundred blocks: a start reads a list of them and not the rows, and an import that is not
finished is an edition nobody looks at. What was imported before is packed into the first edition, and its rows stay: a
controller of the version before goes on reading them (docs/standby.md). The version after this one lets them go.
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BLOCK_ROWS = 8_192
LISTS_MAX, CARRIERS_MAX = 64, 256
LIST_BITS, CARRIER_BITS = 6, 8

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables of blocks and pack what was imported into them."""
    op.create_table(
        "ported_edition",
        sa.Column("edition", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("carriers", sa.Text(), nullable=False),
        sa.Column("lists", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("edition", name="pk_ported_edition"),
    )
    op.create_table(
        "ported_block",
        sa.Column("edition", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("crc", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("edition", "n", name="pk_ported_block"),
    )
    op.create_table(
        "number_carrier",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by_whom", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_number_carrier"),
    )
    _pack()


def downgrade() -> None:
    """Make a row of every number again: what was imported since stands in blocks alone."""
    if sa.inspect(op.get_bind()).has_table("ported"):
        op.execute("DELETE FROM ported")
    else:  # this migration dropped the table in its first days
        _make_rows()
    _unpack()
    for table in ("number_carrier", "ported_block", "ported_edition"):
        op.drop_table(table)
    op.execute("DELETE FROM meta WHERE name IN ('ported', 'carriers_by_hand')")


def _make_rows() -> None:
    op.create_table(
        "ported",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("imported_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_ported"),
    )


def _pack() -> None:
    connection = op.get_bind()
    lists = connection.execute(
        sa.text("SELECT source, MAX(imported_at_ms), COUNT(*) FROM ported GROUP BY source ORDER BY source")
    ).all()
    names = [row[0] for row in connection.execute(sa.text("SELECT DISTINCT carrier FROM ported ORDER BY carrier"))]
    place = {row[0]: min(n, LISTS_MAX - 1) for n, row in enumerate(lists)}
    carrier = {name: n for n, name in enumerate(names[:CARRIERS_MAX])}
    edition, total, n = (1 if lists else 0), 0, 0
    for block in _blocks(connection, place, carrier):
        connection.execute(
            sa.text(
                "INSERT INTO ported_block (edition, n, first, rows, crc, words) "
                "VALUES (:edition, :n, :first, :rows, :crc, :words)"
            ),
            {
                "edition": edition,
                "n": n,
                "first": block[0] >> (LIST_BITS + CARRIER_BITS),
                "rows": len(block),
                "crc": zlib.crc32(_bytes(block)),
                "words": _bytes(block),
            },
        )
        total, n = total + len(block), n + 1
    if edition:
        connection.execute(
            sa.text(
                "INSERT INTO ported_edition (edition, rows, made_at_ms, carriers, lists) "
                "VALUES (1, :rows, :at_ms, :carriers, :lists)"
            ),
            {
                "rows": total,
                "at_ms": max(row[1] for row in lists),
                "carriers": json.dumps(list(carrier)),
                "lists": json.dumps([[name, at_ms, count] for name, at_ms, count in lists[:LISTS_MAX]]),
            },
        )
    connection.execute(sa.text("INSERT INTO meta (name, value) VALUES ('ported', :edition)"), {"edition": str(edition)})


def _blocks(connection: sa.Connection, place: dict[str, int], carrier: dict[str, int]) -> Iterator[array[int]]:
    """Yield every row as a word, a block at a time; a carrier beyond what a table can name is left out."""
    after = -1
    query = sa.text("SELECT number, carrier, source FROM ported WHERE number > :after ORDER BY number LIMIT :many")
    while True:
        rows = connection.execute(query, {"after": after, "many": BLOCK_ROWS}).all()
        words = array("Q")
        for number, name, source in rows:
            if name in carrier:
                words.append(number << (LIST_BITS + CARRIER_BITS) | place[source] << CARRIER_BITS | carrier[name])
        if words:
            yield words
        if len(rows) < BLOCK_ROWS:
            return
        after = rows[-1][0]


def _bytes(words: array[int]) -> bytes:
    if sys.byteorder == "big":
        words = words[:]
        words.byteswap()
    return words.tobytes()


def _unpack() -> None:
    connection = op.get_bind()
    edition = connection.scalar(sa.text("SELECT value FROM meta WHERE name = 'ported'"))
    found = connection.execute(
        sa.text("SELECT edition, carriers, lists FROM ported_edition WHERE edition = :edition"),
        {"edition": int(edition or 0)},
    ).first()
    if found is None:
        return
    carriers, lists = json.loads(found[1]), json.loads(found[2])
    n = 0
    block = sa.text("SELECT words FROM ported_block WHERE edition = :edition AND n = :n")
    row = sa.text(
        "INSERT INTO ported (number, carrier, source, imported_at_ms) VALUES (:number, :carrier, :source, :at)"
    )
    while (words := connection.scalar(block, {"edition": found[0], "n": n})) is not None:
        rows = []
        for word in array("Q", bytes(words)) if sys.byteorder == "little" else _swapped(words):
            source = lists[word >> CARRIER_BITS & (LISTS_MAX - 1)]
            number = word >> (LIST_BITS + CARRIER_BITS)
            rows.append(
                {"number": number, "carrier": carriers[word & (CARRIERS_MAX - 1)], "source": source[0], "at": source[1]}
            )
        connection.execute(row, rows)
        n += 1


def _swapped(words: bytes) -> array[int]:
    found = array("Q", bytes(words))
    found.byteswap()
    return found
