"""The lease on a real PostgreSQL: one leads, the others are refused, nobody waits for the dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import SimpleNamespace

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from controller.errors import LeadLostError, LedgerError
from controller.foyer import Foyer
from controller.store.db import Database
from controller.store.lease import Lease
from controller.store.ledger import SqlLedger
from tests.store.conftest import StoppedClock
from tests.store.rows import an_agent, offered, put, said, turn

pytestmark = pytest.mark.store


class Daemon:
    """A ledger and its hand on the lease, as one controller has them."""

    def __init__(self, database: Database, clock: StoppedClock, name: str) -> None:
        self.ledger = SqlLedger(database, clock)
        self.lease = Lease(database, self.ledger.holder, name, f"http://{name}")

    async def lead(self) -> bool:
        taken = await self.lease.take(await self.lease.look())
        if taken:
            self.ledger.lead()
        return taken

    async def close(self) -> None:
        await self.lease.close()
        await self.ledger.close()


@pytest_asyncio.fixture
async def pair(postgresql_url: str, clock: StoppedClock) -> AsyncIterator[tuple[Daemon, Daemon]]:
    database = Database(postgresql_url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        daemons = [Daemon(database, clock, name) for name in ("one", "two")]
        for daemon in daemons:
            stack.push_async_callback(daemon.close)
        yield daemons[0], daemons[1]


async def test_one_leads_and_the_other_sees_who(pair: tuple[Daemon, Daemon]) -> None:
    one, two = pair
    assert (await two.lease.look()).holder == ""
    assert await one.lead()
    seen = await two.lease.look()
    assert (seen.holder, seen.name, seen.url, seen.epoch, seen.alive) == (
        one.ledger.holder, "one", "http://one", 1, True,
    )  # fmt: skip
    await one.lease.renew()
    assert one.lease.standbys == 1
    assert (await two.lease.look()).beat == seen.beat + 1


async def test_of_two_who_take_it_together_one_has_it(pair: tuple[Daemon, Daemon]) -> None:
    one, two = pair
    seen = await one.lease.look()
    await two.lease.look()
    assert sorted(await asyncio.gather(one.lease.take(seen), two.lease.take(seen))) == [False, True]
    leading = one if one.lease.leading else two
    await leading.lease.renew()
    with pytest.raises(LeadLostError):
        await (two if leading is one else one).lease.renew()


async def test_a_sign_of_life_since_the_look_keeps_it(pair: tuple[Daemon, Daemon]) -> None:
    one, two = pair
    await one.lead()
    seen = await two.lease.look()
    await one.lease.renew()
    assert not await two.lease.take(seen)
    await one.lease.renew()


async def test_every_commit_of_the_one_before_is_refused(pair: tuple[Daemon, Daemon]) -> None:
    one, two = pair
    await one.lead()
    await one.ledger.commit([turn(said(1, offered()), changes=put(an_agent(reason="one")))])
    assert await two.lead()
    loaded = await two.ledger.load()
    assert loaded.entities == (an_agent(reason="one"),)
    for _ in range(2):
        with pytest.raises(LeadLostError):
            await one.ledger.commit([turn(changes=put(an_agent(reason="zombie")))])
    await two.ledger.commit([turn(said(2, offered()), changes=put(an_agent(reason="two")))])
    with pytest.raises(LeadLostError):
        await one.lease.renew()
    assert (await two.ledger.load()).entities == (an_agent(reason="two"),)


async def test_a_leader_that_never_wrote_anything_does_not_take_the_books_back(pair: tuple[Daemon, Daemon]) -> None:
    one, two = pair
    await one.lead()
    await two.lead()
    with pytest.raises(LeadLostError):
        await one.ledger.commit([turn(changes=put(an_agent(reason="zombie")))])
    assert (await two.ledger.load()).entities == ()


async def test_a_leader_frozen_in_mid_commit_does_not_hold_up_the_next(
    pair: tuple[Daemon, Daemon], postgresql_url: str
) -> None:
    one, two = pair
    await one.lead()
    seen = await two.lease.look()
    host = postgresql_url.partition("host=")[2]
    database = postgresql_url.partition("@/")[2].partition("?")[0]
    frozen = await asyncpg.connect(
        host=host, user="tongdai", database=database,
        server_settings={"application_name": f"tongdai-ledger {one.ledger.holder}"},
    )  # fmt: skip
    await frozen.execute("BEGIN")
    await frozen.execute("UPDATE lead SET turn = turn + 1")
    began = time.monotonic()
    assert await two.lease.take(seen)
    assert time.monotonic() - began < 20.0
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        await frozen.execute("COMMIT")
    frozen.terminate()


async def test_a_session_left_in_mid_commit_is_ended_by_the_server(pair: tuple[Daemon, Daemon]) -> None:
    """Where the next controller may not end it: another role."""
    one, _ = pair
    await one.lead()
    await one.ledger.commit([turn(said(1, offered()))])
    connection = one.ledger._writer._connection  # type: ignore[union-attr]
    await connection.execute("BEGIN")
    await connection.execute("UPDATE lead SET turn = turn + 1")
    began = time.monotonic()
    while not connection.is_closed():
        assert time.monotonic() - began < 20.0
        await asyncio.sleep(0.02)
    await one.ledger.commit([turn(said(2, offered()))])


async def test_a_released_lease_is_free_and_a_dead_session_is_seen(pair: tuple[Daemon, Daemon]) -> None:
    one, two = pair
    await one.lead()
    await one.lease.release()
    assert (await two.lease.look()).holder == ""
    assert await two.lead()
    await two.lease.close()
    began = time.monotonic()
    while time.monotonic() - began < 20.0:
        seen = await one.lease.look()
        if not seen.alive:
            break
        await asyncio.sleep(0.02)
    assert (seen.holder, seen.alive) == (two.ledger.holder, False)


async def test_a_cut_connection_is_told_and_opened_again(pair: tuple[Daemon, Daemon]) -> None:
    one, two = pair
    await one.lead()
    one.lease.cut.clear()
    async with two.ledger._database.writing() as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tongdai-lead %'"
        await connection.execute(text(query))
    await asyncio.wait_for(one.lease.cut.wait(), 20.0)
    await one.lease.renew()
    assert (await two.lease.look()).alive


async def test_books_that_cannot_be_written_take_no_leader_for_dead(pair: tuple[Daemon, Daemon]) -> None:
    """A full disk: the leader is refused and its session stays, and a look that is to prove it is refused as well.

    Before, each refusal cut the session, and the standby took over from a living leader as soon as there was room.
    """
    one, two = pair
    await one.lead()
    async with two.ledger._database.writing() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$"
            )
        )
        await connection.execute(text("CREATE TRIGGER no_room BEFORE UPDATE ON lease EXECUTE FUNCTION no_room()"))
    session = one.lease._connection
    for _ in range(3):
        with pytest.raises(LedgerError, match="no space left on device"):
            await one.lease.renew()
    assert one.lease._connection is session
    seen = await two.lease.look()
    assert seen.alive
    with pytest.raises(LedgerError, match="no space left on device"):
        await two.lease.look(prove=True)
    with pytest.raises(LedgerError, match="no space left on device"):
        await two.lease.take(seen)
    assert two.lease._connection is None, "what it had begun is not left open"
    async with two.ledger._database.writing() as connection:
        await connection.execute(text("DROP FUNCTION no_room CASCADE"))
    await one.lease.renew()
    assert (await two.lease.look(prove=True)).beat == seen.beat + 1, "proving it is no sign of life"


async def test_who_is_told_to_stop_asks_once_more_whether_somebody_stands_by(pair: tuple[Daemon, Daemon]) -> None:
    """One that came up a moment ago takes over too; before, callers of that moment heard an apology."""
    one, two = pair
    await one.lead()
    await one.lease.renew()
    assert one.lease.standbys == 0
    assert not await Foyer.has_standby(SimpleNamespace(lease=one.lease))
    await two.lease.look()
    assert await Foyer.has_standby(SimpleNamespace(lease=one.lease))


async def test_no_server_is_one_line(clock: StoppedClock) -> None:
    lost = Lease(Database("postgresql+asyncpg://ann:geheim@127.0.0.1:1/books"), "x", "me", "")
    with pytest.raises(LedgerError) as caught:
        await lost.look()
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)
