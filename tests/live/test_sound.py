"""What is heard: both legs in the talk and in the recording, each on its own frequency, and music while waiting."""

from __future__ import annotations

import asyncio
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

QUIET = "+842473001041"
SETUP = whole(
    hotline(queue="recorded", outbound=True, record_outbound=True),
    hotline(QUIET, queue="quiet"),
    queue("recorded", "team", record=True),
    queue("quiet", "team"),
    table("adaptive", {"name": "auto", "fallback": HOTLINE, "outbound": True, "record_outbound": True}),
    groups={"team": ("a1", "a2")},
    agents={"a1": {"outbound_with": HOTLINE}},
)
TALK_S = 1.5
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


async def test_an_outbound_call_is_recorded_both_ways(floor: Floor) -> None:
    viettel = floor.carrier("viettel")
    phone = await floor.desk("a1")
    call = phone.dial("0967000111")
    leg = await viettel.next_call()
    await soon(call.up, "the callee answers")
    await until(_hear(call, CARRIER_HZ, leg, agent_hz("a1")), "they hear each other")
    await asyncio.sleep(TALK_S)
    await call.hangup()

    async def ended() -> list[Json]:
        return await floor.api.calls("ended", since=floor.began, direction="outbound")

    row = (await until(ended, "the outbound call in the history"))[0]
    assert row["recording"]
    callee, agent = _levels(await _samples(floor.lab, row["recording"]), CARRIER_HZ, agent_hz("a1"))
    assert min(callee, agent) > SPEECH
