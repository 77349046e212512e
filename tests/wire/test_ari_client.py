"""aioari fenced in: each of its defects that would lose calls is gone in our subclass, on the installed version."""

from __future__ import annotations

import asyncio
import base64

import pytest

from controller.ari.client import AriClient, RefusedError, StreamEndedError, TooOldError
from controller.ari.pool import NoReplyError
from controller.ari.requests import OPERATIONS
from controller.errors import TelephoneError
from tests.wire.fake_ari import PASSWORD, FakeAri, fake_ari

pytestmark = pytest.mark.wire


def client(fake: FakeAri, password: str = PASSWORD) -> AriClient:
    return AriClient(fake.settings.url, "tongdai", password)


async def test_the_password_is_never_in_a_url():
    token = base64.b64encode(f"tongdai:{PASSWORD}".encode()).decode()
    async with fake_ari() as fake:
        ari = client(fake)
        await ari.describe(OPERATIONS)
        await ari.ask("channels.answer", {"channelId": "1.1"})
        stream = await ari.listen("tongdai")
        await stream.close()
        await ari.close()
    assert len(fake.asked) == len({name.split(".")[0] for name in OPERATIONS}) + 3
    for asked in fake.asked:
        assert "api_key" not in asked.url
        assert "rd" not in asked.url.replace("recordings", "")
        assert asked.headers["Authorization"] == f"Basic {token}"


async def test_an_operation_this_asterisk_lacks_is_an_error_at_start():
    lacking = {name: rows for name, rows in OPERATIONS.items() if name != "channels.dial"}
    lacking["channels.record"] = tuple(row for row in lacking["channels.record"] if row != "beep")
    async with fake_ari(operations=lacking) as fake:
        ari = client(fake)
        with pytest.raises(TooOldError, match=r"lacks what we need: channels\.dial, channels\.record\(beep\)"):
            await ari.describe(OPERATIONS)
        await ari.close()


async def test_a_description_that_is_none_is_an_error_and_not_a_traceback():
    async with fake_ari(operations={}) as fake:
        ari = client(fake)
        with pytest.raises(TelephoneError):
            await ari.describe(OPERATIONS)
        await ari.close()


async def test_truth_and_lists_reach_asterisk_as_it_reads_them():
    async with fake_ari() as fake:
        ari = client(fake)
        await ari.describe(OPERATIONS)
        await ari.channels.record(channelId="1.1", name="a/b", format="wav", beep=True)
        await ari.channels.playWithId(channelId="1.1", playbackId="1.1.pb1", media=["sound:a", "sound:b"])
        await ari.close()
    record, play = fake.asked[-2:]
    assert record.query == {"name": "a/b", "format": "wav", "beep": "true"}
    assert play.query == {"media": "sound:a,sound:b"}


async def test_an_event_filter_arrives_bare_and_variables_by_name():
    async with fake_ari() as fake:
        ari = client(fake)
        await ari.describe(OPERATIONS)
        await ari.applications.filter(applicationName="tongdai", filter={"allowed": [{"type": "StasisStart"}]})
        await ari.channels.create(endpoint="PJSIP/an", variables={"A": "b"})
        await ari.close()
    filtered, created = fake.asked[-2:]
    assert filtered.body == {"allowed": [{"type": "StasisStart"}]}
    assert created.body == {"variables": {"A": "b"}}
    assert filtered.headers["Content-Type"] == "application/json"


async def test_a_refusal_carries_asterisks_own_words():
    async with fake_ari(answer=lambda _: (409, {"message": "Bridge with id 'x'\r\nalready exists"})) as fake:
        ari = client(fake)
        await ari.describe(OPERATIONS)
        with pytest.raises(RefusedError, match=r"refused channels\.list \(409\): Bridge with id 'x'  already exists"):
            await ari.get("channels.list", {})
        with pytest.raises(RefusedError) as refused:
            await ari.channels.list()
        await ari.close()
    assert refused.value.status == 409


async def test_no_command_waits_longer_than_its_limit():
    async with fake_ari(answer=lambda _: asyncio.sleep(5)) as fake:
        ari = client(fake)
        await ari.describe(OPERATIONS)
        with pytest.raises(NoReplyError, match=r"within 0\.1 s"):
            await ari.ask("channels.answer", {"channelId": "1.1"}, 0.1)
        await ari.close()


async def test_what_is_asked_before_the_description_was_read_does_not_recurse():
    async with fake_ari() as fake:
        ari = client(fake)
        with pytest.raises(AttributeError, match="channels"):
            _ = ari.channels
        await ari.close()


async def test_listeners_that_would_leak_and_the_loop_that_would_end_in_silence_are_closed_off():
    async with fake_ari() as fake:
        ari = client(fake)
        await ari.describe(OPERATIONS)
        for listen in (ari.on_event, ari.on_channel_event):
            with pytest.raises((NotImplementedError, ValueError)):
                listen("StasisStart", print)
        with pytest.raises(NotImplementedError):
            await ari.run("tongdai")
        await ari.close()


@pytest.mark.parametrize("end", ["cut", "hang_up"])
async def test_the_event_stream_never_ends_without_saying_so(end):
    async with fake_ari() as fake:
        ari = client(fake)
        stream = await ari.listen("tongdai")
        frames = stream.frames()
        await fake.say_raw('{"type": "x"}')
        assert await anext(frames) == '{"type": "x"}'
        if end == "cut":
            fake.cut()
        else:
            closing = asyncio.create_task(fake.hang_up())
        with pytest.raises(StreamEndedError, match=r"cut|closed"):
            await anext(frames)
        await stream.close()
        if end == "hang_up":
            await closing
        await ari.close()


async def test_a_refused_event_stream_says_why():
    async with fake_ari(refuse=401) as fake:
        ari = client(fake, "wrong")
        with pytest.raises(TelephoneError, match="the ARI user or password is wrong"):
            await ari.listen("tongdai")
        await ari.close()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8088", "ftp://x", "http://"])
async def test_a_url_that_is_none(url):
    with pytest.raises(TelephoneError, match="must look like"):
        AriClient(url, "u", "p")
