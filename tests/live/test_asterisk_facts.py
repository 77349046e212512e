"""What Asterisk really does: the facts the controller is built on, measured on the Asterisk under test.

Each test is one row of docs/asterisk-facts.md and bears its number. When one fails on a new version, the row and what
follows from it must be looked at anew: nothing of ours is tested here, and nothing of ours is used to measure.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.live.agi_peer import agi_peer
from tests.live.asterisk import PrivateAsterisk, asterisk_of, free_port
from tests.live.patience import SLOW_S
from tests.live.raw_ari import HEADERS, RawAri, raw_ari
from tests.sim.raw import raw_model

TARGETS = (pytest.param("asterisk", marks=pytest.mark.live), pytest.param("model", marks=pytest.mark.sim))
BOTH = pytest.mark.parametrize("target", TARGETS)
"""What the simulator's model of Asterisk must do as well: a model that is not measured is an opinion."""

AGI = free_port()
NOBODY = free_port()
A7_BATCHES, A7_SIDE_BY_SIDE = 40, 8
DIALPLAN = f"""
[facts]
exten => hold,1,Answer()
 same => n,Wait(60)
exten => _app.,1,Stasis(${{EXTEN:3}},inbound,+842473001001)
 same => n,Set(GLOBAL(AFTER_${{EXTEN:3}})=${{STASISSTATUS}})
exten => _agi.,1,Set(CHANNEL(hangup_handler_push)=facts,left${{EXTEN:3}},1)
 same => n,Set(TIMEOUT(absolute)=${{IF($["${{EXTEN:3:5}}" = "limit"]?1:0)}})
 same => n,Set(AGIEXITONHANGUP=${{IF($["${{EXTEN:8:4}}" = "exit"]?yes:no)}})
 same => n,AGI(agi://127.0.0.1:{AGI}/facts)
 same => n,Set(GLOBAL(AGI_${{EXTEN:3}})=${{AGISTATUS}})
 same => n,Wait(5)
exten => forged,1,Set(CALLERID(name)=${{FORGED}})
 same => n,Goto(agiforged,1)
exten => _left.,1,Set(GLOBAL(GONE_${{EXTEN:4}})=yes)
 same => n,Return()
exten => nobody,1,AGI(agi://127.0.0.1:{NOBODY}/facts)
 same => n,Set(GLOBAL(AGI_nobody)=${{AGISTATUS}})
exten => T,1,Hangup()
"""
PJSIP = """
[nowhere]
type=endpoint
context=facts
disallow=all
allow=ulaw
aors=nowhere
[nowhere]
type=aor
contact=sip:x@127.0.0.1:9
"""


asterisk = asterisk_of(DIALPLAN, PJSIP)


@pytest.fixture
def target() -> str:
    """Who is asked: the real one, unless a test is for both."""
    return "asterisk"


@pytest.fixture
async def ari(target: str, request: pytest.FixtureRequest) -> AsyncIterator[RawAri]:
    async with raw_model() if target == "model" else raw_ari(request.getfixturevalue("asterisk")) as client:
        yield client


async def bridge(ari: RawAri, name: str, *channels: str) -> None:
    assert (await ari.ask("POST", f"bridges/{name}", type="mixing"))[0] == 200
    assert (await ari.ask("POST", f"bridges/{name}/addChannel", channel=",".join(channels)))[0] == 204


async def ids(ari: RawAri) -> set[str]:
    return {channel["id"] for channel in await ari.get("channels")}


# -- the event stream --------------------------------------------------------------------------------------------------


@BOTH
async def test_a1_calls_outlive_the_event_stream(ari):
    await ari.open()
    first, second = await ari.caller(), await ari.caller()
    await bridge(ari, "a1", first, second)
    await ari.cut()
    await asyncio.sleep(0.2)
    assert {first, second} <= await ids(ari)
    assert set((await ari.get("bridges/a1"))["channels"]) == {first, second}
    assert (await ari.ask("GET", f"applications/{ari.app}"))[0] == 200


@BOTH
async def test_a2_a_call_without_a_listener_goes_on_in_the_dialplan_at_once(ari):
    await ari.open()
    await ari.cut()
    began = time.monotonic()
    await ari.dial(f"app{ari.app}")
    assert await ari.seen(f"AFTER_{ari.app}") == "FAILED"
    assert time.monotonic() - began < SLOW_S


@BOTH
async def test_a3_nothing_is_replayed(ari):
    await ari.open()
    await ari.caller()
    await ari.cut()
    ari.events.clear()
    await ari.open()
    await asyncio.sleep(0.3)
    assert ari.events == []


@BOTH
async def test_a4_after_a_reconnect_the_application_has_what_it_had(ari):
    await ari.open()
    caller = await ari.caller()
    await bridge(ari, "a4", caller)
    await ari.cut()
    await ari.open()
    application = await ari.get(f"applications/{ari.app}")
    assert (application["channel_ids"], application["bridge_ids"]) == ([caller], ["a4"])
    await ari.ask("DELETE", f"channels/{caller}")
    await ari.event("ChannelLeftBridge", channel=caller)
    await ari.event("StasisEnd", channel=caller)


@BOTH
async def test_a5_what_ended_in_the_gap_is_only_missing(ari):
    await ari.open()
    caller = await ari.caller()
    await ari.cut()
    ari.events.clear()
    await ari.ask("DELETE", f"channels/{caller}")
    await ari.gone(caller)
    await ari.open()
    await asyncio.sleep(0.2)
    assert (await ari.ask("GET", f"channels/{caller}"))[0] == 404
    assert ari.events == []


@BOTH
async def test_a6_a_repeated_command_says_that_it_was_done(ari):
    await ari.open()
    leg = await ari.leg("1.1.a1")
    again = {"endpoint": "Local/hold@facts", "app": ari.app, "channelId": leg}
    assert (await ari.ask("POST", "channels/create", **again))[0] == 409
    assert (await ari.ask("POST", f"channels/{leg}/dial"))[0] == 204
    await ari.event("ChannelStateChange", channel=leg)
    assert (await ari.ask("POST", f"channels/{leg}/dial"))[0] == 409
    assert [(await ari.ask("POST", "bridges/a6", type="mixing"))[0] for _ in range(2)] == [200, 409]
    assert (await ari.ask("DELETE", f"channels/{leg}"))[0] == 204
    await ari.event("ChannelDestroyed", channel=leg)
    for gone in (f"channels/{leg}", "playbacks/none", "bridges/none"):
        assert (await ari.ask("DELETE", gone))[0] == 404
    assert (await ari.ask("POST", f"channels/{leg}/answer"))[0] == 404


async def _overtaken(ari, name: str) -> bool:
    """Whether an event about the channel was here before the reply to the request that made it."""
    query = {"endpoint": "Local/hold@facts", "app": ari.app, "channelId": name}
    assert (await ari.ask("POST", "channels", **query))[0] == 200
    return any(name in str(event) for event in list(ari.events))


@BOTH
async def test_a7_events_overtake_the_reply_to_our_own_request(ari):
    await ari.open()
    overtaken = 0
    for batch in range(A7_BATCHES):
        names = [f"{batch}.{n}.a7" for n in range(A7_SIDE_BY_SIDE)]
        overtaken += sum(await asyncio.gather(*(_overtaken(ari, name) for name in names)))
        for name in names:
            await ari.ask("DELETE", f"channels/{name}")
        if overtaken:
            break
    assert overtaken > 0


@pytest.mark.live
async def test_a8_a_second_controller_silences_the_first_without_closing_its_socket(ari, asterisk):
    await ari.open()
    async with raw_ari(asterisk) as second:
        second.app = ari.app
        await second.open()
        assert (await ari.event("ApplicationReplaced"))["application"] == ari.app
        caller = await second.caller()
        assert not ari.of("StasisStart")
        assert ari.socket is not None
        assert not ari.socket.closed
        assert (await ari.ask("POST", f"channels/{caller}/answer"))[0] == 204  # and it may still command


@pytest.mark.live
async def test_a9_a_client_that_does_not_read_is_cut_and_calls_fail(ari, asterisk):
    """Its buffers are kept small and the events large, so that it takes seconds less than in life."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", asterisk.http_port))
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    upgrade = f"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}Authorization: {HEADERS['Authorization']}"
    deaf.sendall(f"GET /ari/events?app={ari.app} HTTP/1.1\r\n{upgrade}\r\n\r\n".encode())
    assert b" 101 " in deaf.recv(100)
    began = time.monotonic()
    leg = (await ari.ask("POST", "channels/create", endpoint="Local/hold@facts", app=ari.app))[1]["id"]
    large = {"variable": "LARGE", "value": "x" * 4_000}
    while (await ari.ask("GET", f"applications/{ari.app}"))[1].get("channel_ids") is not None:
        sending = (ari.ask("POST", f"channels/{leg}/variable", **large) for _ in range(50))
        await asyncio.gather(*sending)
        if "FAILED" in await after_call(ari):
            break
        assert time.monotonic() - began < 90
    deaf.close()


async def after_call(ari: RawAri) -> str:
    """What becomes of a new call: empty while it is held in the application."""
    await ari.ask("POST", "asterisk/variable", variable=f"AFTER_{ari.app}", value="")
    await ari.dial(f"app{ari.app}")
    await asyncio.sleep(0.05)
    return str((await ari.get(f"asterisk/variable?variable=AFTER_{ari.app}"))["value"])


@BOTH
async def test_a10_the_end_of_a_call_is_told_differently_by_path(ari):
    await ari.open()
    plain, followed = await ari.caller(), await ari.caller()
    await ari.ask("POST", f"applications/{ari.app}/subscription", eventSource=f"channel:{followed}")
    leg = await ari.leg("1.1.a10")
    for name in (plain, followed, leg):
        await ari.ask("DELETE", f"channels/{name}")
        await ari.event("StasisEnd", channel=name)
    await ari.event("ChannelDestroyed", channel=followed)
    assert (await ari.event("ChannelDestroyed", channel=leg))["cause"] == 16
    failed = await ari.leg("1.2.a10", "Local/nothing@facts")
    await ari.ask("POST", f"channels/{failed}/dial")
    destroyed = await ari.event("ChannelDestroyed", channel=failed)
    assert destroyed["cause"] in {0, 16, 17, 19, 34}
    assert ari.of("ChannelDestroyed", channel=plain) == []


@BOTH
async def test_a11_a_call_to_nowhere_is_accepted_first(ari):
    await ari.open()
    query = {"endpoint": "PJSIP/nowhere", "app": ari.app, "channelId": "1.1.a11", "timeout": 1}
    assert (await ari.ask("POST", "channels", **query))[0] == 200
    assert (await ari.event("ChannelDestroyed", channel="1.1.a11"))["cause"] in {0, 16, 19, 20, 34}


@pytest.mark.live
async def test_a12_dangerous_functions_are_refused_or_ignored(ari, asterisk):
    await ari.open()
    caller = await ari.caller()
    for name in ("SHELL(id)", "DB(a/b)"):
        assert (await ari.ask("GET", f"channels/{caller}/variable", variable=name))[0] == 500
    target = asterisk.home / "written"
    written = await ari.ask("POST", f"channels/{caller}/variable", variable=f"FILE({target})", value="x")
    assert written[0] == 204
    assert not target.exists()


# -- the side door -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def agi() -> AsyncIterator[object]:
    async with agi_peer(AGI) as next_session:
        yield next_session


@pytest.mark.live
async def test_a13_a_side_door_that_dies_half_way_is_called_a_success(ari, agi):
    await ari.dial("agidies")
    session = await agi()
    await session.read_header()
    assert await session.ask(b"SET VARIABLE TD_HALF yes") == b"200 result=1"
    session.close()
    assert await ari.seen("AGI_dies") == "SUCCESS"


@pytest.mark.live
async def test_a14_a_silent_side_door_holds_the_call_until_it_closes(ari, agi):
    """The absolute time-out alone only makes Asterisk say HANGUP to the server: the channel stays."""
    began = time.monotonic()
    await ari.dial("agilimit")
    session = await agi()
    await session.read_header()
    assert await session.line() == b"HANGUP"
    assert 0.9 < time.monotonic() - began < 1 + SLOW_S
    await asyncio.sleep(0.7)
    assert (await ari.get("asterisk/variable?variable=GONE_limit"))["value"] == ""
    session.close()
    assert await ari.seen("GONE_limit") == "yes"


@pytest.mark.live
async def test_a14_with_exit_on_hangup_the_time_out_frees_the_call(ari, agi):
    began = time.monotonic()
    await ari.dial("agilimitexit")
    session = await agi()
    await session.read_header()
    assert await ari.seen("GONE_limitexit") == "yes"
    assert 0.9 < time.monotonic() - began < 1 + SLOW_S
    assert await session.reader.read() == b"HANGUP\nHANGUP\n"


@pytest.mark.live
async def test_a15_a_side_door_nobody_opens_fails_at_once(ari):
    began = time.monotonic()
    await ari.dial("nobody")
    assert await ari.seen("AGI_nobody") == "FAILURE"
    assert time.monotonic() - began < SLOW_S


@pytest.mark.live
async def test_a16_a_line_break_in_a_name_forges_a_line_of_the_header(ari, agi):
    await ari.ask("POST", "asterisk/variable", variable="FORGED", value="An\nagi_extension: 900")
    await ari.dial("forged")
    session = await agi()
    lines = [line for line in await session.read_header() if line.startswith(b"agi_extension:")]
    assert lines == [b"agi_extension: 900", b"agi_extension: agiforged"]


@pytest.mark.live
async def test_a17_a_line_break_in_an_argument_is_a_second_command(ari, agi):
    await ari.dial("agibreak")
    session = await agi()
    await session.read_header()
    session.send(b"SET VARIABLE A 1\nSET VARIABLE B 2")
    assert await session.line() == b"200 result=1"
    assert await session.ask(b"GET VARIABLE B") == b"200 result=1"  # of the second command: read with what comes next
    assert await session.ask(b"NOOP") == b"200 result=1 (2)"  # from here on every reply is one late


@pytest.mark.live
async def test_a18_a_long_line_is_two_and_a_bad_byte_swallows_the_reply(ari, agi):
    await ari.dial("agilong")
    session = await agi()
    await session.read_header()
    session.send(b"SET VARIABLE A " + b"x" * 9_000)
    assert [(await session.line())[:3] for _ in range(2)] == [b"200", b"510"]
    session.send(b"SET VARIABLE A b\0c")
    with pytest.raises(TimeoutError):
        await session.line(0.3)


@pytest.mark.live
async def test_a19_errors_are_one_line_or_a_block(ari, agi):
    await ari.dial("agierror")
    session = await agi()
    await session.read_header()
    assert (await session.ask(b"NO SUCH THING")).startswith(b"510 ")
    block = [await session.ask(b"SET VARIABLE")]
    while not block[-1].startswith(b"520 "):
        block.append(await session.line())
    assert block[0].startswith(b"520-")
    assert block[-1] == b"520 End of proper usage."
    assert await session.ask(b"SET VARIABLE A b") == b"200 result=1"


@pytest.mark.live
async def test_a24_a_dead_call_stays_until_the_side_door_closes(ari, agi):
    near = await ari.dial("agidead")
    session = await agi()
    await session.read_header()
    await ari.ask("DELETE", f"channels/{near}")
    assert await session.line() == b"HANGUP"
    await asyncio.sleep(0.3)
    assert len(await ari.get("channels")) > 0
    session.close()
    assert await ari.seen("GONE_dead") == "yes"


# -- the whole of it ---------------------------------------------------------------------------------------------------


@pytest.mark.live
async def test_a20_a_killed_asterisk_is_missed_at_once_and_comes_back_empty():
    own = PrivateAsterisk(dialplan=DIALPLAN)
    own.start()
    try:
        async with raw_ari(own) as ari:
            await ari.open()
            await ari.caller()
            began = time.monotonic()
            own.kill()
            await ari.closed()
            assert time.monotonic() - began < SLOW_S
            assert own.start() < 10 * SLOW_S
            assert await ari.get("channels") == []
            assert await ari.get("applications") == []
    finally:
        own.stop()


@pytest.mark.live
async def test_a21_a_snapshot_of_two_hundred_channels_is_small(ari):
    await ari.open()
    for n in range(100):
        await ari.leg(f"1.{n}.a1")
    for n in range(50):
        await ari.ask("POST", f"bridges/1.{n}.br", type="mixing")
    began = time.monotonic()
    lists = [await ari.get(path) for path in ("channels", "bridges", f"applications/{ari.app}")]
    took = time.monotonic() - began
    assert (len(lists[0]), len(lists[1]), len(lists[2]["channel_ids"])) == (200, 50, 100)
    assert took < SLOW_S


@pytest.mark.live
async def test_a25_a_frozen_asterisk_is_noticed_by_its_silence():
    own = PrivateAsterisk()
    own.start()
    url = f"{own.url}ari/events?app=frozen"
    limit = aiohttp.ClientWSTimeout(ws_close=0.5)
    try:
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            stream = await session.ws_connect(url, autoping=False, timeout=limit)
            own.freeze()
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await stream.ping()
            with pytest.raises(TimeoutError):
                await stream.receive(0.5)
            await stream.close()
            assert time.monotonic() - began < 0.5 + 0.5 + SLOW_S
    finally:
        own.stop()


@pytest.mark.live
async def test_a26_pings_of_the_event_stream_are_answered(ari):
    url = f"{ari.asterisk.url}ari/events?app={ari.app}"
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        stream = await session.ws_connect(url, autoping=False)
        took = []
        for _ in range(10):
            began = time.monotonic()
            await stream.ping()
            assert (await stream.receive(SLOW_S)).type is aiohttp.WSMsgType.PONG
            took.append(time.monotonic() - began)
        await stream.close()
    assert sorted(took)[5] < SLOW_S / 10
