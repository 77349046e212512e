"""The FastAGI server under people who are no Asterisk: silent, endless, forged, many, or gone."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import structlog
from panoramisk import fast_agi

from controller.agi.protocol import HEADER_BYTES_MAX
from controller.agi.scripts import SessionOverError, Talk
from controller.agi.server import Limits, Server
from tests.wire.agi_peer import Asterisk, header

pytestmark = pytest.mark.wire

Outcome = tuple[str, str]
SILENT_S = 0.4
GARBAGE_S = 10.0
BUSY_S = 15.0
PATIENT = Limits(header_s=30.0, dialogue_s=30.0)
"""For the tests that are not about a limit: a machine may stand still for some seconds."""
HURRIED = Limits(header_s=30.0)
"""As strict in its dialogue as in production."""


async def ok(talk: Talk) -> None:
    await talk.set("TD_OK", "1")


async def never(_talk: Talk) -> None:
    await asyncio.Event().wait()


async def broken(_talk: Talk) -> None:
    raise RuntimeError("a mistake of ours")


class Listening:
    """A server on a free port, and what its meter was told."""

    def __init__(self, **options: Any) -> None:
        self.outcomes: list[Outcome] = []
        scripts = {"outbound": ok, "never": never, "broken": broken}
        options.setdefault("limits", PATIENT)
        self.server = Server(scripts, meter=lambda path, end, _s: self.outcomes.append((path, end)), **options)

    async def talk(self, data: bytes, replies: dict[str, bytes] | None = None) -> Asterisk:
        """Hold one session to its end."""
        peer = await Asterisk.connect(self.server.port)
        peer.send(data)
        await peer.serve(replies)
        await peer.close()
        return peer


Start = Callable[..., Any]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - the meter signals nobody
            await asyncio.sleep(0.005)


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start servers that are closed after the test."""
    running: list[Listening] = []

    async def begin(**options: Any) -> Listening:
        listening = Listening(**options)
        await listening.server.start("127.0.0.1", 0)
        running.append(listening)
        return listening

    yield begin
    for listening in running:
        await listening.server.close()


async def test_a_session_sets_and_closes(start: Start) -> None:
    listening = await start()
    peer = await listening.talk(header())
    assert peer.commands == ["NOOP", 'SET VARIABLE "TD_OK" "1"']
    assert listening.outcomes == [("outbound", "done")]


async def test_connect_and_close_costs_nothing(start: Start) -> None:
    """Raw panoramisk: the event loop stands still for ever at the first port scan."""
    listening = await start()
    for _ in range(50):
        await (await Asterisk.connect(listening.server.port)).close()
    async with asyncio.timeout(20):
        peer = await listening.talk(header())
    assert peer.variables == {"TD_OK": "1"}


async def test_half_a_header_then_the_end(start: Start) -> None:
    listening = await start()
    peer = await Asterisk.connect(listening.server.port)
    peer.send(header()[:100])
    await peer.close()
    await until(lambda: bool(listening.outcomes))
    assert listening.outcomes == [("", "hangup")]


async def test_a_silent_peer_is_closed_at_two_seconds(start: Start) -> None:
    assert Limits().header_s == 2.0
    listening = await start(limits=Limits(header_s=SILENT_S))
    began = asyncio.get_running_loop().time()
    peer = await Asterisk.connect(listening.server.port)
    await peer.closed()
    assert SILENT_S - 0.05 < asyncio.get_running_loop().time() - began < SILENT_S + GARBAGE_S
    assert listening.outcomes == [("", "late")]


async def test_a_trickling_peer_is_closed_at_the_same_time(start: Start) -> None:
    listening = await start(limits=Limits(header_s=SILENT_S))
    peer = await Asterisk.connect(listening.server.port)

    async def trickle() -> None:
        for byte in header():
            peer.send(bytes([byte]))
            await asyncio.sleep(0.02)

    trickling = asyncio.create_task(trickle())
    assert await peer.closed() < SILENT_S + GARBAGE_S
    trickling.cancel()


async def test_a_silent_script_ends_the_session_with_nothing_set(start: Start) -> None:
    assert Limits().dialogue_s == 0.3
    listening = await start(limits=HURRIED)
    began = asyncio.get_running_loop().time()
    peer = await listening.talk(header("never"))
    assert asyncio.get_running_loop().time() - began < 0.3 + GARBAGE_S
    assert peer.commands == ["NOOP"]
    assert listening.outcomes == [("never", "late")]


async def test_an_asterisk_that_does_not_answer_commands_is_left(start: Start) -> None:
    listening = await start(limits=HURRIED)
    peer = await Asterisk.connect(listening.server.port)
    peer.send(header())
    assert await peer.closed() < 0.3 + GARBAGE_S
    assert listening.outcomes == [("outbound", "late")]


async def test_ten_megabytes_of_header_are_refused(start: Start) -> None:
    listening = await start()
    peer = await Asterisk.connect(listening.server.port)
    sent = 0
    line = b"agi_x: " + b"x" * 8000
    try:
        while sent < 10_000_000:
            peer.send(line)
            await peer.writer.drain()
            sent += len(line)
    except ConnectionError:
        pass
    assert await peer.closed() < GARBAGE_S
    assert listening.outcomes == [("", "garbage")]
    assert sent < 10_000_000, "everything was read"


async def test_a_session_has_a_share_of_bytes(start: Start) -> None:
    listening = await start(limits=replace(PATIENT, session_bytes_max=20_000))
    usage = b"520-x\n" + b"y" * 4000 + b"\n"
    peer = await listening.talk(header(), {"SET": usage * 2 + b"z\n" * 30 + usage * 3})
    assert listening.outcomes == [("outbound", "garbage")]
    assert peer.variables == {"TD_OK": "1"}, "asked for, and not confirmed"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\n",
        b"\0" * 100,
        b"x" * (HEADER_BYTES_MAX + 1),
        header(calleridname="x\nagi_extension: 900"),
        header(calleridname="x\n\nHANGUP"),
        header("other"),
        header("../outbound"),
        header().replace(b"agi_network_script", b"agi_network_scribe"),
    ],
)
async def test_garbage_is_closed_at_once_and_nothing_is_set(start: Start, data: bytes) -> None:
    listening = await start(limits=Limits(header_s=SILENT_S))
    began = asyncio.get_running_loop().time()
    peer = await listening.talk(data)
    assert peer.commands == []
    assert asyncio.get_running_loop().time() - began < GARBAGE_S
    assert listening.outcomes[0][1] in {"garbage", "late"}


async def test_a_header_forged_to_its_end_is_found_out_before_it_is_believed(start: Start) -> None:
    """The true rest of the header arrives later than its forged end: the round trip of NOOP waits for it."""
    listening = await start()
    peer = await Asterisk.connect(listening.server.port)
    whole = header(calleridname="x\nagi_context: c\nagi_threadid: 1\nagi_arg_1: 900\n")
    end = whole.index(b"\n\n") + 2
    peer.send(whole[:end])
    assert await peer.reader.readline() == b"NOOP\n"
    peer.send(whole[end:] + b"200 result=0\n")
    assert await peer.closed() < GARBAGE_S
    assert listening.outcomes == [("outbound", "garbage")]


async def test_hangup_is_not_taken_for_an_answer(start: Start) -> None:
    """Raw panoramisk takes the line for the answer, and every later answer for the one before."""
    listening = await start()
    peer = await listening.talk(header(), {"SET": b"HANGUP\n200 result=1\n"})
    assert listening.outcomes == [("outbound", "hangup")]
    assert peer.commands[-1] == 'SET VARIABLE "TD_OK" "1"'


async def test_a_usage_block_is_one_answer(start: Start) -> None:
    listening = await start()
    await listening.talk(header(), {"SET": b"520-Invalid command syntax.\nUsage: x\n520 End of proper usage.\n"})
    assert listening.outcomes == [("outbound", "refused")]


@pytest.mark.parametrize("reply", [b"510 Invalid or unknown command\n", b"200 result=-1\n"])
async def test_a_refused_command_ends_the_session(start: Start, reply: bytes) -> None:
    listening = await start()
    await listening.talk(header(), {"SET": reply})
    assert listening.outcomes == [("outbound", "refused")]


async def test_a_value_that_says_hangup_is_a_value(start: Start) -> None:
    listening = await start()
    await listening.talk(header(), {"SET": b"200 result=1 (hangup)\n"})
    assert listening.outcomes == [("outbound", "done")]


async def test_bytes_that_are_no_utf8_are_no_end(start: Start) -> None:
    listening = await start()
    await listening.talk(header(calleridname="Nguy\udcffn"), {"SET": b"200 result=1 (\xff)\n"})
    assert listening.outcomes == [("outbound", "done")]


async def test_a_route_with_a_query_is_found(start: Start) -> None:
    listening = await start()
    assert (await listening.talk(header("outbound?x=1"))).variables == {"TD_OK": "1"}


async def test_a_mistake_in_a_script_ends_its_session_alone(start: Start) -> None:
    listening = await start()
    await listening.talk(header("broken"))
    assert (await listening.talk(header())).variables == {"TD_OK": "1"}
    assert listening.outcomes == [("broken", "failed"), ("outbound", "done")]


async def test_five_hundred_at_once(start: Start) -> None:
    listening = await start(limits=replace(PATIENT, header_s=120.0))
    loop = asyncio.get_running_loop()
    idle = [await Asterisk.connect(listening.server.port) for _ in range(450)]
    took = []
    for _ in range(50):
        began = loop.time()
        assert (await listening.talk(header())).variables == {"TD_OK": "1"}
        took.append(loop.time() - began)
    assert sorted(took)[48] < BUSY_S
    together = await asyncio.gather(*(listening.talk(header()) for _ in range(50)))
    assert all(peer.variables == {"TD_OK": "1"} for peer in together)
    for peer in idle:
        await peer.close()


async def test_past_the_cap_a_peer_is_sent_away_and_the_log_is_not_flooded(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.reset_defaults()  # whatever another test has made of the log
    assert Limits().sessions_max == 512
    listening = await start(limits=replace(PATIENT, header_s=120.0, sessions_max=3))
    held = [await Asterisk.connect(listening.server.port) for _ in range(3)]
    await asyncio.sleep(0.05)
    for _ in range(20):
        peer = await Asterisk.connect(listening.server.port)
        assert await peer.closed() < GARBAGE_S
    assert listening.outcomes == [("", "refused")] * 20
    assert capsys.readouterr().out.count("agi_refused") == 1
    for peer in held:
        await peer.close()
    for _ in range(1_000):
        if (again := await listening.talk(header())).variables:
            break
        await asyncio.sleep(0.01)
    assert again.variables == {"TD_OK": "1"}


async def test_a_peer_that_is_not_allowed_is_sent_away(start: Start) -> None:
    listening = await start(peers=("192.0.2.0/24",))
    peer = await Asterisk.connect(listening.server.port)
    peer.send(header())
    assert await peer.closed() < GARBAGE_S
    assert listening.outcomes == [("", "refused")]


async def test_peers_are_loopback_unless_told_otherwise() -> None:
    networks = Server({})._peers
    assert all(network.is_loopback for network in networks)
    assert any(ipaddress.ip_address("127.0.0.1") in network for network in networks if network.version == 4)


async def test_closing_ends_every_session(start: Start) -> None:
    listening = await start(limits=Limits(header_s=120.0))
    held = [await Asterisk.connect(listening.server.port) for _ in range(5)]
    await asyncio.sleep(0.05)
    assert listening.server.state == "ok"
    async with asyncio.timeout(20):
        await listening.server.close()
    assert listening.server.port == 0
    assert [await peer.closed() < GARBAGE_S for peer in held] == [True] * 5
    assert listening.server.state == "down"


async def test_a_script_is_a_coroutine_function(start: Start) -> None:
    listening = await start()
    with pytest.raises(TypeError):
        listening.server.add_route("plain", lambda _talk: None)
    with pytest.raises(ValueError, match="already"):
        listening.server.add_route("outbound", ok)


async def test_commands_with_a_line_break_never_leave(start: Start) -> None:
    refused: list[str] = []

    async def hostile(talk: Talk) -> None:
        for value in ("1\nEXEC Dial PJSIP/1900@trunk", "1\r", "1\0", "é"):
            try:
                await talk.set("TD_NUMBER", value)
            except ValueError:
                refused.append(value)
        raise SessionOverError("refused", "nothing could be said")

    listening = await start()
    listening.server.add_route("hostile", hostile)
    peer = await listening.talk(header("hostile"))
    assert len(refused) == 4
    assert peer.commands == ["NOOP"]


# -- the defects our server has to do without, shown on the library as it is ------------------------------------------


async def raw(route: Any) -> tuple[asyncio.Server, int]:
    application = fast_agi.Application(loop=asyncio.get_running_loop())
    application.add_route("outbound", route)
    server = await asyncio.start_server(application.handler, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_the_library_alone_believes_the_last_of_two_keys() -> None:
    seen: list[str] = []

    async def script(request: Any) -> None:
        seen.append(request.headers["agi_extension"])

    server, port = await raw(script)
    peer = await Asterisk.connect(port)
    peer.send(header(threadid="1\nagi_extension: 900"))
    await peer.closed()
    server.close()
    assert seen == ["900"]


async def test_the_library_alone_takes_hangup_for_an_answer() -> None:
    seen: list[Any] = []

    async def script(request: Any) -> None:
        seen.append(await request.send_command("GET VARIABLE A"))
        seen.append(await request.send_command("GET VARIABLE B"))

    server, port = await raw(script)
    peer = await Asterisk.connect(port)
    peer.send(header())
    await peer.reader.readline()
    peer.send(b"HANGUP\n200 result=1 (a)\n")
    await peer.closed()
    server.close()
    assert seen[0]["error"] == "AGIResultHangup"
    assert seen[1]["result"] == ("1", "a"), "the answer about A, taken for the one about B"
