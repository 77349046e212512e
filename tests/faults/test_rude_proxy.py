"""The rude proxy is itself rude in exactly the ways it says, and polite otherwise."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.faults.frames import Mangler, Rudeness, text
from tests.faults.rude_proxy import Rude, RudeProxy
from tests.live.harness import free_base, until

pytestmark = pytest.mark.wire


class Peer:
    """What stands for Asterisk: answers with the path, and tells what it is given on its event stream."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.port = 0

    async def request(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/ari/events":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            self.sockets.append(socket)
            async for _ in socket:
                pass
            return socket
        self.asked.append(f"{request.method} {request.path_qs}")
        return web.json_response({"path": request.path, "body": (await request.read()).decode()})

    async def say(self, *numbers: int) -> None:
        for n in numbers:
            await self.sockets[-1].send_str(json.dumps({"n": n}))


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    serving = Peer()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", serving.request)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    serving.port = free_base()
    await web.TCPSite(runner, "127.0.0.1", serving.port).start()
    yield serving
    await runner.cleanup()


@pytest.fixture
async def proxy(peer: Peer) -> AsyncIterator[RudeProxy]:
    between = RudeProxy(peer.port + 1, peer.port).start()
    yield between
    await asyncio.to_thread(between.stop)


@pytest.fixture
async def http(proxy: RudeProxy) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(proxy.url) as session:
        yield session


async def stream(http: aiohttp.ClientSession, peer: Peer) -> aiohttp.ClientWebSocketResponse:
    socket = await http.ws_connect("/ari/events?app=x", autoping=False)

    async def there() -> bool:
        return bool(peer.sockets)

    await until(there, "the event stream reaches the peer")
    return socket


async def numbers(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[int]:
    return [(await socket.receive_json(timeout=20))["n"] for _ in range(count)]


async def silent(socket: aiohttp.ClientWebSocketResponse, seconds: float = 0.15) -> bool:
    try:
        await socket.receive(timeout=seconds)
    except TimeoutError:
        return True
    return False


async def test_polite_it_passes_everything_on(http: aiohttp.ClientSession, peer: Peer, proxy: RudeProxy) -> None:
    for n in range(3):
        answer = await http.post(f"/ari/channels/{n}?a=b", data="body")
        assert await answer.json() == {"path": f"/ari/channels/{n}", "body": "body"}
    socket = await stream(http, peer)
    await peer.say(*range(100))
    assert await numbers(socket, 100) == list(range(100))
    assert [row.line for row in proxy.of("channels")] == [f"POST /ari/channels/{n}?a=b" for n in range(3)]
    assert len(proxy.streams) == 1
    await socket.close()


@pytest.mark.parametrize(("how", "kind"), [("rst", "ERROR"), ("fin", "CLOSED"), ("close", "CLOSE")])
async def test_cuts(http: aiohttp.ClientSession, peer: Peer, proxy: RudeProxy, how: str, kind: str) -> None:
    socket = await stream(http, peer)
    proxy.cut(how)
    message = await socket.receive(timeout=20)
    got = message.type.name
    assert got == kind or (how == "rst" and got == "CLOSED" and isinstance(socket.exception(), ConnectionError)), got
    assert (await http.get("/still")).status == 200
    await socket.close()


async def test_frozen_nothing_passes_and_nothing_is_closed(
    http: aiohttp.ClientSession, peer: Peer, proxy: RudeProxy
) -> None:
    socket = await stream(http, peer)
    proxy.freeze()
    await peer.say(1, 2)
    with pytest.raises(TimeoutError):
        await http.get("/x", timeout=aiohttp.ClientTimeout(0.2))
    assert await silent(socket)
    again = aiohttp.ClientSession(proxy.url)
    asking = asyncio.create_task(again.get("/late"))
    await asyncio.sleep(0.1)
    assert not asking.done()
    proxy.thaw()
    assert (await asyncio.wait_for(asking, 20)).status == 200
    await again.close()


async def test_refusing_and_listening_again(http: aiohttp.ClientSession, peer: Peer, proxy: RudeProxy) -> None:
    proxy.refuse()
    with pytest.raises(aiohttp.ClientConnectorError):
        await http.get("/x")
    proxy.polite()
    assert (await http.get("/x")).status == 200


async def test_answers_by_route(http: aiohttp.ClientSession, peer: Peer, proxy: RudeProxy) -> None:
    proxy.rules = (
        Rude("POST .*/answer", status=503),
        Rude("DELETE .*/lost", status=500, carried=True),
        Rude("GET .*/slow", wait_s=0.3),
        Rude("GET .*/never", never=True),
        Rude("GET .*/edited", edit=lambda body: body.replace(b"edited", b"something longer")),
    )
    assert (await http.post("/ari/channels/1/answer")).status == 503
    assert (await http.delete("/ari/lost")).status == 500
    assert peer.asked == ["DELETE /ari/lost"], "carried out, the answer lost"
    began = time.monotonic()
    assert (await http.get("/ari/slow")).status == 200
    assert time.monotonic() - began >= 0.3
    with pytest.raises(TimeoutError):
        await http.get("/ari/never", timeout=aiohttp.ClientTimeout(0.2))
    assert (await (await http.get("/ari/edited")).json())["path"] == "/ari/something longer"
    assert (await http.get("/ari/other")).status == 200


async def test_a_message_asterisk_never_said_and_a_flood(
    http: aiohttp.ClientSession, peer: Peer, proxy: RudeProxy
) -> None:
    socket = await stream(http, peer)
    await peer.say(0)
    await numbers(socket, 1)
    proxy.say('{"n": 7}', 2)
    assert await numbers(socket, 2) == [7, 7]
    said = await proxy.flood(lambda n: f'{{"n": {n}}}', 1000, 0.3)
    assert await numbers(socket, said) == list(range(said))
    assert said == 300
    await socket.close()


async def test_latency_holds_back_in_order(http: aiohttp.ClientSession, peer: Peer, proxy: RudeProxy) -> None:
    socket = await stream(http, peer)
    proxy.latency(0.1)
    began = time.monotonic()
    await peer.say(1, 2, 3)
    assert await numbers(socket, 3) == [1, 2, 3]
    assert time.monotonic() - began >= 0.1
    assert (await http.get("/x")).status == 200
    assert time.monotonic() - began >= 0.2
    await socket.close()


async def test_events_are_dropped_doubled_and_swapped(
    http: aiohttp.ClientSession, peer: Peer, proxy: RudeProxy
) -> None:
    socket = await stream(http, peer)
    proxy.events(Rudeness(drop=1.0, only='"n": 3'))
    await peer.say(1, 3, 4)
    assert await numbers(socket, 2) == [1, 4]
    proxy.events(Rudeness(duplicate=1.0))
    await peer.say(5)
    assert await numbers(socket, 2) == [5, 5]
    proxy.events(Rudeness(swap=16))
    await peer.say(*range(20))
    got = await numbers(socket, 20)
    assert got != list(range(20))
    assert sorted(got) == list(range(20))
    await socket.close()


def test_the_same_seed_is_rude_in_the_same_way() -> None:
    def run(seed: int) -> list[Any]:
        mangler = Mangler(Rudeness(drop=0.3, duplicate=0.3, swap=4, seed=seed))
        return [frame.payload for n in range(200) for frame in mangler.take(text(str(n)))] + mangler.flush()

    assert run(1) == run(1) != run(2)
