"""What is heard: both legs in the talk and in the recording, each on its own frequency, and music while waiting."""

from __future__ import annotations

import asyncio
import contextlib
import wave
from collections.abc import Awaitable, Callable

import pytest

from controller.lab import tone
from controller.lab.sipcall import SipCall
from tests.live.floor import CARRIER_HZ, CUSTOMER_HZ, SPEECH, Floor, agent_hz
from tests.live.harness import Json, Lab, soon, until
from tests.live.patience import SLOW_S
from tests.live.setups import HOTLINE, hotline, queue, table, whole

pytestmark = pytest.mark.live

QUIET, BY_MOBI = "+842473001041", "+842473001042"
TAPED, PLAIN = "taped", "plain"
CODES = {TAPED: "81", PLAIN: "82"}
SETUP = whole(
    hotline(queue="recorded", outbound=True, record_outbound=True),
    hotline(QUIET, queue="quiet"),
    queue("recorded", "team", record=True),
    queue("quiet", "team"),
    hotline(BY_MOBI, queue="quiet", outbound=True, trunk="mobifone"),
    table("adaptive", {"name": TAPED, "record_outbound": True, "dial_code": CODES[TAPED]}),
    table("adaptive", {"name": PLAIN, "fallback": HOTLINE, "dial_code": CODES[PLAIN]}),
    groups={"team": ("a1", "a2")},
    agents={"a1": {"outbound_with": HOTLINE}},
)
TALK_S = 1.5
PACKETS = 40  # of 20 ms each
STRANGE_HZ = 3100  # nobody's tone: what noise there is shows here


def _hear(one: SipCall, one_hears: int, other: SipCall, other_hears: int) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return min(one.media.level(one_hears), other.media.level(other_hears)) > SPEECH

    return ask


async def _samples(lab: Lab, name: str) -> tuple[list[int], int]:
    """What the recording of this name holds, once Asterisk has closed it."""

    async def found() -> tuple[list[int], int] | None:
        try:
            return tone.read_wav(lab.directory / "asterisk/spool/recording" / f"{name}.wav")
        except (FileNotFoundError, EOFError, wave.Error):
            return None

    return await until(found, f"a recording {name}")


def _levels(recorded: tuple[list[int], int], *hz: int) -> list[float]:
    samples, rate = recorded
    return [tone.power_at(samples, one, rate) for one in hz]


async def test_both_legs_are_in_the_talk_and_in_the_recording(floor: Floor) -> None:
    phone = await floor.desk("a1")
    call, row = await floor.talk(HOTLINE)
    leg = await phone.next_call()
    await until(_hear(call, agent_hz("a1"), leg, CUSTOMER_HZ), "they hear each other")
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(TALK_S)
    await call.hangup()
    lasted = asyncio.get_running_loop().time() - began
    ended = await floor.ended()
    assert ended["recording"]
    customer, agent, nobody = _levels(
        await _samples(floor.lab, ended["recording"]), CUSTOMER_HZ, agent_hz("a1"), STRANGE_HZ
    )
    assert min(customer, agent) > SPEECH
    assert nobody < SPEECH / 5
    samples, rate = await _samples(floor.lab, ended["recording"])
    assert TALK_S / 2 <= len(samples) / rate <= lasted + SLOW_S, "about as long as the talk"
    assert row["id"] == ended["id"]


async def test_a_queue_that_does_not_record_leaves_no_file(floor: Floor) -> None:
    await floor.desk("a1")
    call, _ = await floor.talk(QUIET)
    before = set(floor.lab.directory.rglob("*.wav"))
    await asyncio.sleep(0.3)
    await call.hangup()
    assert not (await floor.ended())["recording"]
    assert set(floor.lab.directory.rglob("*.wav")) == before


async def test_waiting_callers_hear_music_and_no_silence(floor: Floor) -> None:
    await floor.desk("a1", status="not_ready")
    call = floor.dial(HOTLINE)
    await floor.live(state="waiting")

    async def sound() -> bool:
        samples = tone.decode(b"".join(list(call.media.heard)[-50:]))
        return bool(samples) and max(map(abs, samples)) > 500

    await until(sound, "music")
    await floor.desk("a1", state="talking")

    async def agent_alone() -> bool:
        samples = tone.decode(b"".join(list(call.media.heard)[-25:]))
        tone_power = tone.power_at(samples, agent_hz("a1")) ** 2 / 2
        return tone_power > 0.9 * sum(sample * sample for sample in samples) / max(1, len(samples)) > 0

    await until(agent_alone, "the agent alone, without the music")
    await call.hangup()


async def _talk_out(floor: Floor, to: str, via: str | None, *, clicked: bool, recorded: bool) -> Json:
    """An agent calls out, by a phone or by a click, and talks a while: the call in the history."""
    phone, switch = await floor.desk("a1"), floor.carrier("viettel" if to.startswith("096") else "mobifone")
    if clicked:
        asked = await floor.api.send("POST", "/api/v1/outbound", {"agent": "a1", "to": to, "hotline": via})
        assert asked.status_code == 202, asked.text
        call = await phone.next_call()
    else:
        call = phone.dial(CODES.get(via or "", "") + to)
    leg = await switch.next_call()
    await soon(call.up, "the callee answers")
    await until(_hear(call, CARRIER_HZ, leg, agent_hz("a1")), "they hear each other")
    await until(lambda: _tapes(floor, recorded=recorded), "the talk is known, and recorded if it is to be")
    await until(_more(call, leg), "they go on talking")
    await call.hangup()

    async def ended() -> list[Json]:
        return await floor.api.calls("ended", since=floor.began, direction="outbound")

    return (await until(ended, "the outbound call in the history"))[0]


async def _tapes(floor: Floor, *, recorded: bool) -> bool:
    """Whether the one call is talked, and Asterisk records it or need not."""
    rows = [row for row in await floor.api.calls(direction="outbound") if row["state"] == "talking"]
    if not rows or not recorded:
        return bool(rows)
    with contextlib.suppress(AssertionError):  # not there yet
        return (await floor.api.ari(f"recordings/live/calls%2F{rows[0]['id']}"))["state"] == "recording"
    return False


def _more(*calls: SipCall) -> Callable[[], Awaitable[bool]]:
    """Whether each of them has heard so much more than now."""
    wanted = [call.media.received + PACKETS for call in calls]

    async def ask() -> bool:
        return all(call.media.received >= least for call, least in zip(calls, wanted, strict=True))

    return ask


@pytest.mark.parametrize(
    ("clicked", "via", "to", "hotline", "recorded"),
    [
        pytest.param(False, None, "0967000111", HOTLINE, True, id="dialled-by-a-recorded-hotline"),
        pytest.param(True, HOTLINE, "0967000112", HOTLINE, True, id="clicked-by-a-recorded-hotline"),
        pytest.param(True, BY_MOBI, "0901000113", BY_MOBI, False, id="clicked-by-another"),
        pytest.param(False, TAPED, "0901000114", BY_MOBI, True, id="dialled-by-a-recorded-number-over-another-hotline"),
        pytest.param(True, TAPED, "0901000115", BY_MOBI, True, id="clicked-by-a-recorded-number-over-another-hotline"),
        pytest.param(False, PLAIN, "0967000116", HOTLINE, False, id="dialled-by-another-over-a-recorded-hotline"),
        pytest.param(True, PLAIN, "0967000117", HOTLINE, False, id="clicked-by-another-over-a-recorded-hotline"),
    ],
)
async def test_an_outbound_call_is_recorded_by_the_switch_of_the_number_that_was_asked_for(
    floor: Floor, clicked: bool, via: str | None, to: str, hotline: str, recorded: bool
) -> None:
    before = set(floor.lab.directory.rglob("*.wav"))
    row = await _talk_out(floor, to, via, clicked=clicked, recorded=recorded)
    assert (row["hotline"], row["result"], bool(row["recording"])) == (hotline, "answered", recorded)
    if recorded:
        callee, agent = _levels(await _samples(floor.lab, row["recording"]), CARRIER_HZ, agent_hz("a1"))
        assert min(callee, agent) > SPEECH
    assert len(set(floor.lab.directory.rglob("*.wav")) - before) == recorded
