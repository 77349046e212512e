"""The lab's own phone: what tests of the whole believe must be true of it first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.lab import phones, scenarios, sip, tone
from controller.lab.sipcall import Rule
from controller.lab.softphone import RegistrationRefusedError, Softphone
from controller.lab.udp import Port

pytestmark = pytest.mark.wire

ALICE_HZ, BOB_HZ = 500, 900
LOUD = 7000


async def _soon(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), 20.0)


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Softphone, Softphone]]:
    """Two phones that are each other's server."""
    bob = Softphone(("127.0.0.1", 9), "bob", hz=BOB_HZ)
    alice = Softphone(bob.at, "alice", hz=ALICE_HZ)
    bob.server = alice.at
    yield alice, bob
    await alice.close()
    await bob.close()


def test_mu_law_is_its_own_inverse_within_its_steps() -> None:
    for sample in range(-32000, 32000, 137):
        heard = tone.decode(bytes([tone.ulaw(sample)]))[0]
        assert abs(heard - sample) <= max(8, abs(sample) // 16)


def test_a_tone_is_found_at_its_frequency_and_nowhere_else() -> None:
    samples = tone.decode(b"".join(tone.tone_frames(700)))
    assert tone.power_at(samples, 700) == pytest.approx(8000, rel=0.02)
    assert tone.power_at(samples, 850) < 100
    assert tone.power_at([], 700) == 0.0


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\x00\xff", b"hello there\r\n\r\n"])
def test_what_is_no_sip_is_no_message(data: bytes) -> None:
    assert sip.parse(data) is None


def test_a_message_survives_the_wire() -> None:
    told = sip.Message(
        "INVITE sip:a@b SIP/2.0", (("Via", "SIP/2.0/UDP x;branch=z9hG4bK1"), ("CSeq", "1 INVITE")), "v=0\r\n"
    )
    assert sip.parse(told.encode()) == told


def test_the_digest_of_rfc_2617() -> None:
    asked = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc"'
    request = sip.Message("GET /dir/index.html SIP/2.0", (("Via", "x;branch=1"), ("CSeq", "1 GET")))
    answer = sip.with_credentials(
        request, sip.Message("SIP/2.0 401 No", (("WWW-Authenticate", asked),)), "Mufasa", "Circle Of Life"
    )
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in answer.get("Authorization")
    assert answer.get("CSeq") == "2 GET"


async def test_they_talk_and_hear_each_other(pair: tuple[Softphone, Softphone]) -> None:
    alice, bob = pair
    call = alice.dial("bob", shown="0901234567", name="Alice")
    await _soon(call.up)
    other = await bob.next_call()
    assert other.caller == "0901234567"
    async with asyncio.timeout(20):
        while min(call.media.level(BOB_HZ), other.media.level(ALICE_HZ)) < LOUD:  # noqa: ASYNC110 - sound signals nobody
            await asyncio.sleep(0.02)
    await other.hangup()
    await _soon(call.ended)
    assert (call.ended_by, other.ended_by) == ("them", "us")


@pytest.mark.parametrize("status", [480, 486, 503, 603])
async def test_a_refusal_has_its_status(pair: tuple[Softphone, Softphone], status: int) -> None:
    alice, bob = pair
    bob.rule = Rule(status=status)
    call = alice.dial("bob")
    await _soon(call.ended)
    assert (call.status, call.up.is_set()) == (status, False)


async def test_giving_up_stops_the_ringing(pair: tuple[Softphone, Softphone]) -> None:
    alice, bob = pair
    bob.rule = Rule(status=0)
    call = alice.dial("bob")
    await _soon(call.ringing)
    await call.hangup()
    assert (call.status, bob.calls[0].status, bob.calls[0].ended_by) == (487, 487, "them")


async def test_nobody_to_register_with(pair: tuple[Softphone, Softphone]) -> None:
    alice, _ = pair
    with pytest.raises(RegistrationRefusedError):
        await alice.register()


async def test_a_phone_that_stays_registers_again_before_its_time_is_over_and_never_after_it_left() -> None:
    told: list[str] = []
    renewed = asyncio.Event()

    def registrar(data: bytes) -> None:
        message = sip.parse(data)
        assert message is not None
        told.append(message.get("Expires"))
        door.send(sip.reply(message, 200, "OK").encode(), alice.at)
        if len(told) > 2:
            renewed.set()

    door = Port("127.0.0.1", 0, registrar)
    alice = Softphone(door.at, "alice", hz=ALICE_HZ)
    await alice.stay_registered(1)
    await _soon(renewed)
    await alice.close()
    await asyncio.sleep(0.7)
    door.close()
    left = told.index("0")  # and whatever a busy machine made it say twice
    assert set(told[:left]) == {"1"}
    assert set(told[left:]) == {"0"}


async def test_sipp_answers_our_phone(tmp_path: Path) -> None:
    alice = Softphone(("127.0.0.1", 9), "alice", hz=ALICE_HZ)
    taking = scenarios.Taking(after_ms=50, talk_ms=600, tone=phones.tone_file(tmp_path, 1300))
    carrier = phones.carrier("carrier", ("127.0.0.11", phones.free_port("127.0.0.11")), alice.at, taking, tmp_path)
    alice.server = carrier.at
    try:
        call = alice.dial("0967000111", shown="+842473001001")
        await _soon(call.up)
        await _soon(call.ended)
        assert call.ended_by == "them"
        assert call.media.level(1300, 0.3) > 7000
        assert sip.user_of(carrier.received("INVITE")[0].get("From")) == "+842473001001"
    finally:
        carrier.stop()
        await alice.close()


async def test_sipp_calls_our_phone_and_presses_keys(tmp_path: Path) -> None:
    bob = Softphone(("127.0.0.1", 9), "bob", hz=BOB_HZ)
    rule = scenarios.Calling("1900", "0901", talk_ms=1000, keys=((50, "1"),), tone=phones.tone_file(tmp_path, 1300))
    caller = phones.caller("caller", bob.at, rule, tmp_path)
    bob.server = caller.at
    try:
        call = await bob.next_call()
        await _soon(call.up)
        await _soon(call.ended)
        assert await asyncio.to_thread(caller.wait, 30) == 0
        assert {message.status for message in caller.received("INFO")} == {200}
        assert call.media.level(1300, 0.2) > 7000
    finally:
        caller.stop()
        await bob.close()
