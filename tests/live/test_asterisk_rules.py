"""What Asterisk expects of a controller, and what it tells about phones: the rules of docs/asterisk-facts.md, part 2.

Measured without any of our own code, like the facts; the phones are the lab's.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from tests.live.asterisk import PrivateAsterisk, asterisk_of
from tests.live.patience import PATIENCE_S, SLOW_S
from tests.live.raw_ari import RawAri, raw_ari
from tests.wire.ari_models import DESCRIPTION

pytestmark = pytest.mark.live

TRUNK = "127.0.0.5"
STATIC_PORT = 25_071
TRIES = 10
DIALPLAN = """
[facts]
exten => hold,1,Answer()
 same => n,Wait(60)
exten => _app.,1,Stasis(${EXTEN:3},inbound,+842473001001)
exten => _limit.,1,Set(TIMEOUT(absolute)=1)
 same => n,Stasis(${EXTEN:5},inbound,+842473001001)
exten => _call.,1,Dial(PJSIP/${EXTEN:4},20)
exten => T,1,Set(GLOBAL(TIMED_OUT)=${STASISSTATUS})
"""
ENDPOINT = """
[{name}]
type=endpoint
context=facts
disallow=all
allow=ulaw
direct_media=no
rtp_symmetric=yes
aors={name}
[{name}]
type=aor
max_contacts=1
{more}
"""
PJSIP = (
    ENDPOINT.format(name="an", more="")
    + ENDPOINT.format(name="fixed", more=f"contact=sip:fixed@127.0.0.21:{STATIC_PORT}")
    + ENDPOINT.format(name="asked", more="contact=sip:asked@127.0.0.22:25072\nqualify_frequency=1\nqualify_timeout=0.3")
    + ENDPOINT.format(name="trunk", more=f"contact=sip:{TRUNK}:25073")
    + f"[trunk-match]\ntype=identify\nendpoint=trunk\nmatch={TRUNK}\n"
)


asterisk = asterisk_of(DIALPLAN, PJSIP)


@pytest.fixture
async def ari(asterisk: PrivateAsterisk) -> AsyncIterator[RawAri]:
    async with raw_ari(asterisk) as client:
        yield await client.open()


@pytest.fixture
async def an(asterisk: PrivateAsterisk) -> AsyncIterator[Softphone]:
    async with Softphone(("127.0.0.1", asterisk.sip_port), "an") as phone:
        yield phone


@pytest.fixture
async def customer(asterisk: PrivateAsterisk) -> AsyncIterator[Softphone]:
    phone = Softphone(("127.0.0.1", asterisk.sip_port), "0912345678", bind=(TRUNK, 0))
    yield phone
    phone.vanish()


async def watch(ari: RawAri, *sources: str) -> int:
    query = {"eventSource": ",".join(sources)}
    return (await ari.ask("POST", f"applications/{ari.app}/subscription", **query))[0]


async def states(ari: RawAri) -> dict[str, str]:
    return {endpoint["resource"]: endpoint["state"] for endpoint in await ari.get("endpoints/PJSIP")}


# -- commands that wait ------------------------------------------------------------------------------------------------


async def test_a_playback_holds_back_what_would_interrupt_it(ari):
    caller = await ari.caller()
    await ari.ask("POST", f"channels/{caller}/answer")
    await ari.ask("POST", "bridges/r1", type="mixing")
    await ari.ask("POST", f"channels/{caller}/play/r1", media="sound:tt-monkeys")
    held = [
        asyncio.create_task(ari.ask("POST", f"channels/{caller}/answer")),
        asyncio.create_task(ari.ask("POST", "bridges/r1/addChannel", channel=caller)),
        asyncio.create_task(ari.ask("POST", f"channels/{caller}/variable", variable="A", value="b")),
    ]
    began = time.monotonic()
    assert (await ari.ask("GET", f"channels/{caller}"))[0] == 200
    assert time.monotonic() - began < SLOW_S
    done, _ = await asyncio.wait(held, timeout=0.5)
    assert not done
    assert (await ari.ask("DELETE", "playbacks/r1"))[0] == 204
    assert (await ari.event("PlaybackFinished", playback="r1"))["playback"]["state"] == "done"
    assert [(await asyncio.wait_for(task, PATIENCE_S))[0] for task in held] == [204, 204, 204]


async def test_what_has_no_sound_may_never_end_and_numbers_cannot_be_stopped(ari):
    caller = await ari.caller()
    await ari.ask("POST", f"channels/{caller}/answer")
    await ari.ask("POST", f"channels/{caller}/play/missing", media="sound:no-such-file")
    assert (await ari.event("PlaybackFinished", playback="missing"))["playback"]["state"] == "failed"
    assert (await ari.ask("POST", f"channels/{caller}/play/odd", media="foo:bar"))[0] == 201
    await ari.event("PlaybackStarted", playback="odd")
    await asyncio.sleep(0.3)
    assert not ari.of("PlaybackFinished", playback="odd")
    await ari.ask("POST", f"channels/{caller}/play/number", media="number:123456789")
    await asyncio.sleep(0.2)
    assert (await ari.ask("DELETE", "playbacks/number"))[0] == 500


async def test_music_plays_on_inside_a_bridge_until_it_is_stopped(ari, customer):
    call = customer.dial(f"app{ari.app}")
    caller = (await ari.event("StasisStart"))["channel"]["id"]
    await ari.ask("POST", f"channels/{caller}/answer")
    await ari.ask("POST", f"channels/{caller}/moh")
    await ari.ask("POST", "bridges/r3", type="mixing")
    assert (await ari.ask("POST", "bridges/r3/addChannel", channel=caller))[0] == 204
    await ari.until(lambda: call.media.received > 20)
    assert (await ari.ask("DELETE", f"channels/{caller}/moh"))[0] == 204
    began = time.monotonic()
    while await _heard_in(call, 0.4) >= 5:
        assert time.monotonic() - began < PATIENCE_S, "the music plays on"


async def _heard_in(call: SipCall, seconds: float) -> int:
    """How many packets come in the next seconds, those that wait to be read included (music is 20 in 0.4 s)."""
    before = call.media.received
    await asyncio.sleep(seconds)
    return call.media.received - before


async def test_only_a_channel_in_an_application_can_be_bridged(ari):
    near = await ari.dial("hold")
    await ari.ask("POST", "bridges/r4", type="mixing")
    status, said = await ari.ask("POST", "bridges/r4/addChannel", channel=near)
    assert (status, said["message"]) == (422, "Channel not in Stasis application")


async def test_the_net_under_a_hung_controller(ari):
    began = time.monotonic()
    await ari.caller(f"limit{ari.app}")
    await ari.event("StasisEnd")
    assert 0.9 < time.monotonic() - began < 1 + SLOW_S
    assert await ari.seen("TIMED_OUT") == "SUCCESS"


async def test_the_net_is_lifted_by_whoever_takes_the_call(ari):
    lifted = {"variable": "TIMEOUT(absolute)", "value": "14400"}
    for _ in range(TRIES):  # on a machine that stands still for a second the net falls before anybody can lift it
        ari.events.clear()
        caller = await ari.caller(f"limit{ari.app}")
        if (await ari.ask("POST", f"channels/{caller}/variable", **lifted))[0] == 204:
            break
    await asyncio.sleep(1.3)
    assert not ari.of("StasisEnd", channel=caller)
    assert (await ari.ask("GET", f"channels/{caller}"))[0] == 200


async def test_recordings_replace_nothing_and_need_their_directory(ari, asterisk):
    caller = await ari.caller()
    await ari.ask("POST", f"channels/{caller}/answer")
    await ari.ask("POST", "bridges/r6", type="mixing")
    await ari.ask("POST", "bridges/r6/addChannel", channel=caller)
    query = {"name": "2026/talk", "format": "wav", "ifExists": "fail"}
    assert (await ari.ask("POST", "bridges/r6/record", **query))[0] == 201
    assert (await ari.ask("POST", "bridges/r6/record", **query))[0] == 409
    assert (asterisk.recordings / "2026/talk.wav").exists()
    asterisk.recordings.rename(asterisk.recordings.with_name("away"))
    try:
        assert (await ari.ask("POST", "bridges/r6/record", **{**query, "name": "other"}))[0] == 500
    finally:
        asterisk.recordings.with_name("away").rename(asterisk.recordings)


# -- the event stream --------------------------------------------------------------------------------------------------


async def test_an_event_filter_is_a_bare_object_and_is_kept(ari):
    wanted = {"allowed": [{"type": "StasisStart"}], "disallowed": []}
    assert (await ari.ask("PUT", f"applications/{ari.app}/eventFilter", {"filter": wanted}))[0] == 200
    assert (await ari.get(f"applications/{ari.app}"))["events_allowed"] == []
    assert (await ari.ask("PUT", f"applications/{ari.app}/eventFilter", wanted))[0] == 200
    caller = await ari.caller()
    await ari.ask("POST", f"channels/{caller}/variable", variable="A", value="b")
    await ari.cut()
    await ari.open()
    await ari.ask("POST", f"channels/{caller}/variable", variable="A", value="c")
    await ari.caller()
    assert {event["type"] for event in ari.events} == {"StasisStart"}


async def test_a_filter_also_hides_the_word_that_another_controller_came(ari, asterisk):
    """Hence the filter of ours names it."""
    wanted = {"allowed": [{"type": "StasisStart"}], "disallowed": []}
    await ari.ask("PUT", f"applications/{ari.app}/eventFilter", wanted)
    async with raw_ari(asterisk) as second:
        second.app = ari.app
        await second.open()
        await asyncio.sleep(0.2)
    assert ari.of("ApplicationReplaced") == []


async def test_one_unknown_source_refuses_a_whole_subscription(ari):
    assert await watch(ari, "endpoint:PJSIP/an", "endpoint:PJSIP/ghost") == 422
    assert await watch(ari, "endpoint:PJSIP/an", "endpoint:PJSIP/fixed") == 200
    assert await watch(ari, "channel:1.1") == 422


def test_the_description_is_the_one_the_readers_were_tested_with(asterisk):
    models: dict[str, dict[str, str]] = {}
    for file in (asterisk.install.var_lib_dir / "rest-api").glob("*.json"):
        for name, model in json.loads(file.read_text()).get("models", {}).items():
            models[name] = {key: value["type"] for key, value in model["properties"].items()}
    assert models == {name: model["properties"] for name, model in DESCRIPTION["models"].items()}


# -- phones ------------------------------------------------------------------------------------------------------------


async def test_what_an_endpoint_says_about_its_phone(ari, an):
    """Registered or not is online or offline; a fixed contact that nobody asks is online for ever."""
    assert (await states(ari))["an"] == "offline"
    assert (await states(ari))["fixed"] == "online"
    assert await watch(ari, "endpoint:PJSIP/an", "endpoint:PJSIP/asked") == 200
    await an.register()
    assert (await ari.event("EndpointStateChange"))["endpoint"]["state"] == "online"
    assert (await ari.event("ContactStatusChange"))["contact_info"]["contact_status"] == "NonQualified"
    ari.events.clear()
    await an.register()
    await asyncio.sleep(0.1)
    assert not [event for event in ari.events if event["endpoint"]["resource"] == "an"]  # a renewal is not told
    await an.unregister()
    assert (await ari.event("EndpointStateChange"))["endpoint"]["state"] == "offline"
    assert (await states(ari))["an"] == "offline"


async def test_a_contact_that_is_asked_comes_and_goes(ari, asterisk):
    await watch(ari, "endpoint:PJSIP/asked")
    assert (await states(ari))["asked"] == "offline"
    phone = Softphone(("127.0.0.1", asterisk.sip_port), "asked", bind=("127.0.0.22", 25_072))
    assert (await ari.event("EndpointStateChange"))["endpoint"]["state"] == "online"
    ari.events.clear()
    phone.vanish()
    assert (await ari.event("EndpointStateChange"))["endpoint"]["state"] == "offline"


async def test_a_watched_phone_tells_of_every_channel_on_it_made_by_whomever(ari, an):
    await an.register()
    await watch(ari, "endpoint:PJSIP/an")
    await ari.dial("callan")
    call = await an.next_call()
    made = (await ari.event("ChannelCreated"))["channel"]
    assert made["name"].startswith("PJSIP/an-")
    assert (await ari.event("ChannelStateChange", channel=made["id"]))["channel"]["state"] == "Ringing"
    changed = [event["endpoint"]["channel_ids"] for event in ari.of("EndpointStateChange")]
    assert [made["id"]] in changed
    await call.up.wait()
    await call.hangup()
    assert (await ari.event("ChannelDestroyed", channel=made["id"]))["cause"] == 16


async def test_a_channel_watched_twice_is_told_twice_byte_for_byte(ari, an):
    await an.register()
    await watch(ari, "endpoint:PJSIP/an")
    call = an.dial(f"app{ari.app}")
    caller = (await ari.event("StasisStart"))["channel"]["id"]
    await ari.ask("POST", f"channels/{caller}/answer")
    await call.up.wait()
    await call.press("5")
    await ari.until(lambda: len(ari.of("ChannelDtmfReceived")) == 2)
    digits = [raw for raw in ari.raws if '"ChannelDtmfReceived"' in raw]
    assert digits[0] == digits[1]
    starts = [raw for raw in ari.raws if '"StasisStart"' in raw]
    assert len(starts) == 1


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"CALLERID(num)": "0912345678", "CALLERID(name)": "An"}, "anonymous@anonymous.invalid"),
        ({"CONNECTEDLINE(num,i)": "0912345678", "CONNECTEDLINE(name,i)": 'An ${SHELL(id)} "<x>'}, "0912345678@"),
    ],
)
async def test_a_phone_shows_the_connected_line_and_nothing_in_it_is_evaluated(ari, an, variables, shown):
    await an.register()
    query = {"endpoint": "PJSIP/an", "app": ari.app, "appArgs": "leg", "channelId": "1.1.a1"}
    assert (await ari.ask("POST", "channels/create", {"variables": variables}, **query))[0] == 200
    await ari.event("StasisStart", channel="1.1.a1")
    await ari.ask("POST", "channels/1.1.a1/dial", timeout=30)
    call = await an.next_call()
    assert shown in call.invite.get("From")
    assert ("An ${SHELL(id)}" in call.invite.get("From")) == (shown == "0912345678@")


# -- causes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "cause", "sip"),
    [
        (Rule(status=486), 17, 486),
        (Rule(status=603), 21, 603),
        (Rule(status=480), 19, 480),
        (Rule(status=0), 19, 480),
    ],
    ids=["busy", "declined", "unavailable", "no-answer"],
)
async def test_how_a_leg_fails_is_said_when_it_is_destroyed(ari, an, rule, cause, sip):
    an.rule = rule
    await an.register()
    leg = await ari.leg("1.1.a1", "PJSIP/an")
    await ari.ask("POST", f"channels/{leg}/dial", timeout=30 if rule.status else 1)
    destroyed = await ari.event("ChannelDestroyed", channel=leg)
    assert (destroyed["cause"], destroyed["tech_cause"]) == (cause, sip)
    assert {event["dialstatus"] for event in ari.of("Dial")} <= {"", "RINGING"}  # never BUSY


async def test_a_caller_who_hangs_up_says_no_cause_and_one_who_gives_up_says_it_early(ari, customer):
    call = customer.dial(f"app{ari.app}")
    first = (await ari.event("StasisStart"))["channel"]["id"]
    await ari.ask("POST", f"channels/{first}/answer")
    await watch(ari, f"channel:{first}")
    await call.up.wait()
    await call.hangup()
    assert (await ari.event("ChannelDestroyed", channel=first))["cause"] == 0
    assert "cause" not in ari.of("ChannelHangupRequest", channel=first)[0]
    ari.events.clear()
    call = customer.dial(f"app{ari.app}")
    second = (await ari.event("StasisStart"))["channel"]["id"]
    await ari.ask("POST", f"channels/{second}/ring")
    await call.ringing.wait()
    await call.hangup()
    request = await ari.event("ChannelHangupRequest", channel=second)
    assert (request["cause"], request["tech_cause"]) == (127, 487)


async def test_a_caller_is_refused_with_the_cause_we_give(ari, customer):
    for reason, status in ((17, 486), (34, 503), (1, 404)):
        ari.events.clear()
        call = customer.dial(f"app{ari.app}")
        caller = (await ari.event("StasisStart"))["channel"]["id"]
        await ari.ask("DELETE", f"channels/{caller}", reason_code=reason)
        request = await ari.event("ChannelHangupRequest", channel=caller)
        assert (request["cause"], request["soft"]) == (32, True)
        await asyncio.wait_for(call.ended.wait(), PATIENCE_S)
        assert call.status == status
