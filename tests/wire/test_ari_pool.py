"""The HTTP pool against a server that keeps, breaks and bends its promises."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.ari import pool as pools
from controller.ari.pool import NoReplyError, NotListeningError, Pool, take_reply

pytestmark = pytest.mark.wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
ASK = b"GET / HTTP/1.1\r\n\r\n"
LONG_S = 30.0
Behave = Callable[["Peer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that does as it is told, and counts."""

    def __init__(self, behave: Behave) -> None:
        self.behave = behave
        self.connections = 0
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.behave(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def heard(self, reader: asyncio.StreamReader) -> bytes:
        request = await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        return request


@asynccontextmanager
async def peer(behave: Behave, size: int = 3) -> AsyncIterator[tuple[Peer, Pool]]:
    made = Peer(behave)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    pool = Pool("127.0.0.1", server.sockets[0].getsockname()[1], size=size)
    try:
        yield made, pool
    finally:
        pool.close()
        server.close()
        await asyncio.sleep(0.01)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - a peer signals nobody
            await asyncio.sleep(0.002)


async def polite(made, reader, writer):
    while True:
        await made.heard(reader)
        writer.write(OK)


async def test_one_connection_serves_many_requests():
    async with peer(polite) as (made, pool):
        for _ in range(20):
            assert (await pool.request(ASK, LONG_S)).body == b"hi"
    assert (made.connections, made.requests) == (1, 20)


async def test_never_more_connections_than_allowed():
    async def slow(made, reader, writer):
        while True:
            await made.heard(reader)
            await asyncio.sleep(0.02)
            writer.write(OK)

    async with peer(slow) as (made, pool):
        replies = await asyncio.gather(*(pool.request(ASK, LONG_S) for _ in range(12)))
    assert len(replies) == 12
    assert made.connections == 3


async def test_warming_opens_connections_once():
    async with peer(polite) as (made, pool):
        await pool.warm(2)
        await pool.warm(2)
        await until(lambda: made.connections >= 2)
        await asyncio.sleep(0.05)
        assert made.connections == 2


async def test_a_connection_the_server_closed_while_idle_is_not_used():
    async def one_each(made, reader, writer):
        await made.heard(reader)
        writer.write(OK)

    async with peer(one_each) as (made, pool):
        for _ in range(3):
            assert (await pool.request(ASK, LONG_S)).status == 200
            await asyncio.sleep(0.02)
    assert made.connections == 3


async def test_a_request_into_a_closing_connection_is_sent_once_more():
    async def hang_up_on_the_second(made, reader, writer):
        await made.heard(reader)
        writer.write(OK)
        await made.heard(reader)

    async with peer(hang_up_on_the_second) as (made, pool):
        for _ in range(4):
            assert (await pool.request(ASK, LONG_S)).status == 200
    assert made.requests == 7  # the first, and two each for three more


async def test_a_server_that_only_hangs_up_is_an_error():
    async def rude(made, reader, writer):
        await made.heard(reader)

    async with peer(rude) as (made, pool):
        with pytest.raises(NoReplyError, match="closed the connection"):
            await pool.request(ASK, LONG_S)
    assert made.requests == 1


async def test_silence_ends_at_the_limit_and_the_connection_is_not_used_again():
    async def silent_once(made, reader, writer):
        await made.heard(reader)
        if made.requests == 1:
            await asyncio.sleep(5.0)
        writer.write(OK.replace(b"hi", b"%02d" % made.requests))
        await asyncio.sleep(1)

    async with peer(silent_once) as (made, pool):
        with pytest.raises(NoReplyError, match=r"did not answer within 0\.1 s"):
            await pool.request(ASK, 0.1)
        assert (await pool.request(ASK, LONG_S)).body == b"02"
    assert made.connections == 2


async def test_a_cancelled_request_leaves_its_late_reply_to_nobody():
    cancelled = asyncio.Event()

    async def late(made, reader, writer):
        n = made.connections
        while True:
            await made.heard(reader)
            await cancelled.wait()
            writer.write(OK.replace(b"hi", b"%02d" % n))

    async with peer(late, size=1) as (made, pool):
        task = asyncio.create_task(pool.request(ASK, LONG_S))
        await until(lambda: made.requests == 1)
        task.cancel()
        cancelled.set()
        assert (await pool.request(ASK, LONG_S)).body == b"02"


async def test_who_waits_for_a_connection_gets_its_turn_after_a_failure():
    async def rude(made, reader, writer):
        await made.heard(reader)
        await asyncio.sleep(0.01)

    async with peer(rude, size=1) as (made, pool):
        results = await asyncio.gather(*(pool.request(ASK, LONG_S) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [NoReplyError] * 5
    assert made.requests == 5


async def test_an_old_idle_connection_is_not_trusted(monkeypatch):
    monkeypatch.setattr(pools, "KEEP_ALIVE_S", 0.02)
    async with peer(polite) as (made, pool):
        await pool.request(ASK, LONG_S)
        await asyncio.sleep(0.05)
        await pool.request(ASK, LONG_S)
    assert made.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"SIP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"x" * 70_000,
        OK + OK,
    ],
    ids=["sip", "status", "no-length", "negative", "huge", "endless-head", "two-replies"],
)
async def test_what_is_not_http_is_an_error(answer):
    async def babble(made, reader, writer):
        await made.heard(reader)
        writer.write(answer)
        await asyncio.sleep(0.5)

    async with peer(babble) as (_, pool):
        with pytest.raises(NoReplyError, match=r"not HTTP|not asked"):
            await pool.request(ASK, LONG_S)


async def test_nobody_listens():
    with socket.socket() as taken:  # bound, so that nobody else can listen there, and not listening
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(NotListeningError, match=f"127.0.0.1:{port} does not answer: Connection refused"):
            await Pool("127.0.0.1", port).request(ASK, LONG_S)


async def test_a_closed_pool_begins_nothing():
    async with peer(polite, size=1) as (made, pool):
        first = asyncio.create_task(pool.request(ASK, LONG_S))
        second = asyncio.create_task(pool.request(ASK, LONG_S))
        await asyncio.sleep(0)
        pool.close()
        results = await asyncio.gather(first, second, return_exceptions=True)
        with pytest.raises(NoReplyError, match="were closed"):
            await pool.request(ASK, LONG_S)
    assert isinstance(results[1], NoReplyError)
    assert made.requests <= 1


@settings(deadline=None)
@given(cut=st.integers(0, 200), status=st.sampled_from([200, 204, 404]), body=st.binary(max_size=40))
def test_a_reply_may_come_in_any_pieces(cut, status, body):
    length = b"" if status == 204 else b"content-LENGTH:  %d\r\n" % len(body)
    raw = b"HTTP/1.1 %d Said\r\nServer: Asterisk\r\n" % status + length + b"\r\n" + (b"" if status == 204 else body)
    buffer = bytearray(raw[:cut])
    early = take_reply(buffer)
    assert (early is None) == (cut < len(raw))
    buffer += raw[cut:]
    reply = early or take_reply(buffer)
    assert reply is not None
    assert (reply.status, reply.body) == (status, b"" if status == 204 else body)
    assert not buffer
