"""Tokens: shown once, kept as a hash, good until revoked."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import text

from controller.store import audit
from controller.store.db import Database
from controller.store.tokens import TokenError, TokenRow, Tokens
from tests.store.conftest import NOW_MS, StoppedClock

pytestmark = pytest.mark.store


@pytest.fixture
def tokens(database: Database, clock: StoppedClock) -> Tokens:
    return Tokens(database, clock)


@pytest.mark.parametrize("role", ["admin", "supervisor", "dial", "read", "agent:an", "agent:nguyen.an-2"])
async def test_a_token_is_good_until_it_is_revoked(tokens: Tokens, clock: StoppedClock, role: str) -> None:
    token = await tokens.create("wallboard", role, by="cli")
    row = TokenRow(1, "wallboard", role, NOW_MS, None)
    assert await tokens.verify(token) == row
    clock.at_ms += 7
    assert await tokens.revoke("wallboard", by="cli") == row
    assert await tokens.verify(token) is None
    assert await tokens.list() == [TokenRow(1, "wallboard", role, NOW_MS, NOW_MS + 7)]


async def test_a_token_has_enough_chance_in_it_and_no_two_are_alike(tokens: Tokens) -> None:
    made = {await tokens.create("x", "read") for _ in range(20)}
    assert len(made) == 20
    for token in made:
        assert token.startswith("td_")
        assert len(token) == len("td_") + 32


async def test_only_the_hash_is_on_the_books(tokens: Tokens, database: Database) -> None:
    token = await tokens.create("x", "admin", by="cli")
    async with database.reading() as connection:
        rows = [tuple(row) for row in await connection.execute(text("SELECT * FROM tokens"))]
    assert token not in str(rows)
    assert hashlib.sha256(token.encode()).hexdigest() in rows[0]
    assert token not in str(await tokens.list()) + str(await audit.latest(database))


@pytest.mark.parametrize(
    "wrong", ["", "td_", "nonsense", "td_" + "A" * 32, "td_" + "A" * 10_000, "td_ữ", "' OR 1=1 --"]
)
async def test_anything_else_is_no_token(tokens: Tokens, wrong: str) -> None:
    token = await tokens.create("x", "admin")
    assert await tokens.verify(wrong) is None
    assert await tokens.verify(token[:-1]) is None
    assert await tokens.verify(token + "A") is None
    assert await tokens.verify(token.upper()) is None


@pytest.mark.parametrize("role", ["", "root", "agent:", "agent", "agent:a b", "agent:" + "a" * 65, "admin\n", "Admin"])
async def test_a_role_nobody_knows_is_refused(tokens: Tokens, role: str) -> None:
    with pytest.raises(TokenError, match="role is one of"):
        await tokens.create("x", role)
    assert await tokens.list() == []


@pytest.mark.parametrize("name", ["", "a" * 65, "a\nb", "a\x7f"])
async def test_a_name_nobody_can_read_is_refused(tokens: Tokens, name: str) -> None:
    with pytest.raises(TokenError, match="name has"):
        await tokens.create(name, "read")


async def test_a_token_is_revoked_by_number_or_by_a_name_that_is_clear(tokens: Tokens, database: Database) -> None:
    made = [await tokens.create("twin", "read", by="an") for _ in range(2)]
    with pytest.raises(TokenError, match=r"say which number \(1, 2\)"):
        await tokens.revoke("twin")
    await tokens.revoke("1", by="binh")
    assert [await tokens.verify(token) is not None for token in made] == [False, True]
    for gone in ("1", "nobody", "3", "-1", "99999999999", "9" * 40):
        with pytest.raises(TokenError, match="no token"):
            await tokens.revoke(gone)
    await tokens.revoke("twin", by="binh")
    found = [(row.who, row.action, row.subject, row.old, row.new) for row in await audit.latest(database)]
    assert found == [
        ("binh", "token.revoke", "2 twin", "read", ""),
        ("binh", "token.revoke", "1 twin", "read", ""),
        ("an", "token.create", "2 twin", "", "read"),
        ("an", "token.create", "1 twin", "", "read"),
    ]
