"""API tokens: made once, shown once, kept as a hash.

A token is 192 random bits, so a plain SHA-256 is enough (there is no short secret to guess), and looking the hash up
tells a timing attacker nothing about the token.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import insert, select, update

from controller.errors import TongdaiError
from controller.ports import Clock
from controller.store import audit
from controller.store.db import Database
from controller.store.tables import tokens

PREFIX: Final = "td_"
SECRET_BYTES: Final = 24
TOKEN_MAX: Final = 128
ROLES: Final = ("admin", "supervisor", "dial", "read")
_ROLE: Final = re.compile(rf"(?:{'|'.join(ROLES)}|agent:[A-Za-z0-9_.-]{{1,64}})")
_ID: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,64}")


class TokenError(TongdaiError):
    """A token cannot be made or revoked as asked."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What is known about a token; the token itself is not. `revoked_at_ms` is None while it is good."""

    id: int
    name: str
    role: str
    created_at_ms: int
    revoked_at_ms: int | None


_SHOWN: Final = [tokens.c[name] for name in TokenRow.__slots__]


class Tokens:
    """The tokens of this database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str, role: str, by: str = "") -> str:
        """Make a token and return it: this is the only time anybody sees it.

        `role` is admin, supervisor, dial, read, or `agent:NAME`. TokenError when name or role will not do.
        """
        if not _NAME.fullmatch(name):
            raise TokenError("a token's name has 1 to 64 printable characters")
        if not _ROLE.fullmatch(role):
            raise TokenError(f"a token's role is one of {', '.join(ROLES)} or agent:NAME")
        token = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        at_ms = self._clock.now_ms()
        row = {"name": name, "role": role, "hash": _hash(token), "created_at_ms": at_ms}
        async with self._database.writing() as connection:
            number = (await connection.execute(insert(tokens).values(row).returning(tokens.c.id))).scalar_one()
            change = audit.Entry(by, "token.create", f"{number} {name}", new=role)
            await audit.write(connection, at_ms, change)
        return token

    async def verify(self, token: str) -> TokenRow | None:
        """Return the row of a token, None when it is unknown or revoked."""
        if not token.startswith(PREFIX) or len(token) > TOKEN_MAX or not token.isascii():
            return None
        query = select(*_SHOWN).where(tokens.c.hash == _hash(token), tokens.c.revoked_at_ms.is_(None))
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).mappings().first()
        return None if found is None else TokenRow(**found)

    async def list(self) -> Sequence[TokenRow]:
        """List every token ever made, in order, the revoked ones included."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(*_SHOWN).order_by(tokens.c.id))
            return [TokenRow(**row) for row in rows.mappings()]

    async def revoke(self, which: str, by: str = "") -> TokenRow:
        """End a token, named by its number or its name; TokenError when no good token, or more than one, is meant."""
        meant = tokens.c.id == int(which) if _ID.fullmatch(which) else tokens.c.name == which
        at_ms = self._clock.now_ms()
        async with self._database.writing() as connection:
            rows = await connection.execute(select(*_SHOWN).where(meant, tokens.c.revoked_at_ms.is_(None)))
            found = [TokenRow(**row) for row in rows.mappings()]
            if len(found) != 1:
                raise TokenError(f"no token {which!r} to revoke" if not found else _ambiguous(found))
            row = found[0]
            await connection.execute(update(tokens).where(tokens.c.id == row.id).values(revoked_at_ms=at_ms))
            change = audit.Entry(by, "token.revoke", f"{row.id} {row.name}", old=row.role)
            await audit.write(connection, at_ms, change)
        return row


def _ambiguous(found: Sequence[TokenRow]) -> str:
    numbers = ", ".join(str(row.id) for row in found)
    return f"several tokens have the name {found[0].name!r}: say which number ({numbers})"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
