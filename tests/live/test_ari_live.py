"""The telephone against a real Asterisk: commands become calls, what happens becomes events, the link mends itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from controller.ari.link import LinkState
from controller.ari.telephone import AriTelephone
from controller.core import commands as do
from controller.core.events import (
    CallArrived,
    CallGone,
    DigitPressed,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    MessageRecorded,
    PhoneChanged,
    PhoneChannel,
    PlaybackEnded,
    SnapshotTaken,
)
from controller.errors import LeadLostError, TelephoneError
from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from controller.settings import Ari
from tests.live.asterisk import PASSWORD, USER, PrivateAsterisk, asterisk_of
from tests.live.patience import PATIENCE_S, READY_S, SLOW_S
from tests.live.raw_ari import raw_ari
from tests.live.test_asterisk_rules import ENDPOINT, TRUNK

pytestmark = pytest.mark.live

E = TypeVar("E")
DIALPLAN = """
[facts]
exten => hold,1,Answer()
 same => n,Wait(60)
exten => hotline,1,Stasis(tongdai,inbound,+842473001001)
exten => echo,1,Answer()
 same => n,Wait(60)
"""
PJSIP = (
    ENDPOINT.format(name="an", more="")
    + ENDPOINT.format(name="trunk", more=f"contact=sip:{TRUNK}:25083")
    + f"[trunk-match]\ntype=identify\nendpoint=trunk\nmatch={TRUNK}\n"
)


asterisk = asterisk_of(DIALPLAN, PJSIP)


class House:
    """What main does with the telephone, and every event it was told."""

    def __init__(self, asterisk: PrivateAsterisk) -> None:
        self.telephone = AriTelephone(Ari(url=asterisk.url, user=USER, password=PASSWORD, app="tongdai"))
        self.events: list[Event] = []
        self.states: list[LinkState] = []
        self.snapshots: list[SnapshotTaken] = []
        self.link = asyncio.create_task(self.telephone.run_link(self.events.append, self.on_link))
        self._tasks: set[asyncio.Task[None]] = set()

    def on_link(self, state: LinkState) -> None:
        self.states.append(state)
        if state is LinkState.SYNCING:
            task = asyncio.create_task(self._synchronise())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _synchronise(self) -> None:
        await self.telephone.watch_phones(["an", "ghost"])
        self.snapshots.append(await self.telephone.snapshot())
        self.telephone.synced()

    async def live(self) -> float:
        return await self.until(lambda: self.telephone.state is LinkState.LIVE, READY_S)

    async def until(self, true: Callable[[], bool], within_s: float = PATIENCE_S) -> float:
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < within_s, f"it never happened; heard {self.events}"
            await asyncio.sleep(0.002)
        return time.monotonic() - began

    async def hear(self, kind: type[E], **like: object) -> E:
        """The first event of this kind, past or to come."""
        await self.until(lambda: bool(self.of(kind, **like)))
        return self.of(kind, **like)[0]

    def of(self, kind: type[E], **like: object) -> list[E]:
        found = [event for event in self.events if isinstance(event, kind)]
        return [event for event in found if all(getattr(event, k) == v for k, v in like.items())]

    async def empty(self) -> None:
        """Wait until Asterisk shows no channel: it tells the end of one a moment before it is gone."""
        began = time.monotonic()
        while (seen := (await self.telephone.snapshot()).channels) != ():
            assert time.monotonic() - began < PATIENCE_S, f"left behind: {seen}"

    async def end(self) -> None:
        self.link.cancel()
        await asyncio.gather(self.link, return_exceptions=True)
        await self.telephone.close()


@pytest.fixture
async def house(asterisk: PrivateAsterisk) -> AsyncIterator[House]:
    async with raw_ari(asterisk), at_home(asterisk) as house:
        yield house


@asynccontextmanager
async def at_home(asterisk: PrivateAsterisk) -> AsyncIterator[House]:
    house = House(asterisk)
    try:
        await house.live()
        yield house
    finally:
        await house.end()


@pytest.fixture
async def an(asterisk: PrivateAsterisk) -> AsyncIterator[Softphone]:
    async with Softphone(("127.0.0.1", asterisk.sip_port), "an") as phone:
        yield phone


@pytest.fixture
async def customer(asterisk: PrivateAsterisk) -> AsyncIterator[Softphone]:
    phone = Softphone(("127.0.0.1", asterisk.sip_port), "0912345678", bind=(TRUNK, 0))
    yield phone
    phone.vanish()


async def arrive(house: House, customer: Softphone) -> tuple[str, SipCall]:
    call = customer.dial("hotline", name="Nguyễn Văn An")
    arrived = await house.hear(CallArrived)
    assert arrived == CallArrived(arrived.call, "+842473001001", "0912345678", "Nguyễn Văn An")
    return arrived.call, call


async def talk(house: House, customer: Softphone, an: Softphone) -> tuple[str, SipCall, SipCall]:
    """A caller and an agent, joined after music."""
    await an.register()
    call, far = await arrive(house, customer)
    leg = f"{call}.a1"
    run = house.telephone.run
    await run(do.Answer(call, "x"))
    await run(do.StartMusic(call, "x", "default"))
    await run(do.RingAgent(call, "x", leg, "an", "0912345678", "Nguyễn Văn An", 10))
    near = await an.next_call()
    await house.hear(LegAnswered, leg=leg)
    await run(do.Join(call, "x", leg, f"{call}.br"))
    return call, far, near


async def test_a_whole_call(house, customer, an):
    call, far, near = await talk(house, customer, an)
    leg, bridge = f"{call}.a1", f"{call}.br"
    await house.telephone.run(do.Record(call, "x", bridge, f"calls/{call}"))
    assert house.of(LegRinging) == [LegRinging(call, leg)]
    assert near.caller == "0912345678"
    assert "Nguyễn Văn An" in near.invite.get("From")
    await house.until(lambda: far.media.level(440) > 1000 or far.media.received > 40)
    seen = await house.telephone.snapshot()
    assert {one.id: (one.role, one.ours, one.state) for one in seen.channels} == {
        call: ("inbound", True, "up"),
        leg: ("leg", True, "up"),
    }
    assert [set(one.channels) for one in seen.bridges] == [{call, leg}]
    await far.hangup()
    assert await house.hear(CallGone) == CallGone(call, 0, None)
    await house.telephone.run(do.HangUp(call, "x", leg))
    assert await house.hear(LegGone) == LegGone(call, leg, 16, None)
    for _ in range(2):  # a repeated command is no failure
        await house.telephone.run(do.HangUp(call, "x", leg))
        await house.telephone.run(do.CloseBridge(call, "x", bridge))
    await house.empty()
    assert house.telephone.odd == {}
    assert house.of(CallGone) == [CallGone(call, 0, None)]


async def test_prompts_keys_and_messages(house, customer, asterisk):
    call, far = await arrive(house, customer)
    run = house.telephone.run
    await run(do.Answer(call, "x"))
    await far.up.wait()
    await run(do.Play(call, "x", f"{call}.pb1", ("tt-monkeys", "vm-goodbye"), "en"))
    await far.press("5#")
    await house.until(lambda: len(house.of(DigitPressed)) == 2)
    assert [event.digit for event in house.of(DigitPressed)] == ["5", "#"]
    await run(do.StopPlay(call, "x", f"{call}.pb1"))
    assert await house.hear(PlaybackEnded) == PlaybackEnded(call, f"{call}.pb1")
    await run(do.StopPlay(call, "x", f"{call}.pb1"))
    await run(do.Play(call, "x", f"{call}.pb2", ("no-such-file",), "vi"))
    assert (await house.hear(PlaybackEnded, playback=f"{call}.pb2")).ok is False
    await run(do.RecordMessage(call, "x", f"voicemail/{call}", 30))
    spoken = far.media.sent
    await house.until(lambda: far.media.sent > spoken + 40)
    await far.press("#")
    recorded = await house.hear(MessageRecorded)
    assert (recorded.call, recorded.name, recorded.ok) == (call, f"voicemail/{call}", True)
    assert (asterisk.recordings / f"voicemail/{call}.wav").stat().st_size > 1000


@pytest.mark.parametrize(("status", "cause"), [(486, 17), (603, 21)])
async def test_an_agent_who_refuses(house, customer, an, status, cause):
    an.rule = Rule(status=status)
    await an.register()
    call, _ = await arrive(house, customer)
    await house.telephone.run(do.RingAgent(call, "x", f"{call}.a1", "an", "", "", 10))
    assert await house.hear(LegGone) == LegGone(call, f"{call}.a1", cause, status)


async def test_a_leg_that_cannot_be_made_is_a_failure_and_leaves_nothing(house, customer):
    call, _ = await arrive(house, customer)
    for endpoint in ("ghost", "an"):  # unknown, and known but not registered
        with pytest.raises(TelephoneError, match="Allocation failed"):
            await house.telephone.run(do.RingAgent(call, "x", f"{call}.a1", endpoint, "", "", 10))
    assert [one.id for one in (await house.telephone.snapshot()).channels] == [call]


async def test_a_call_of_somebody_else_is_recorded_by_listening(house, an, asterisk):
    await an.register()
    far = an.dial("echo")
    foreign = await house.hear(PhoneChannel)
    assert foreign.endpoint == "an"
    await far.up.wait()
    await house.telephone.run(do.RecordOutbound(foreign.channel, "x", f"{foreign.channel}.sn", "calls/out"))
    spoken = far.media.sent
    await house.until(lambda: far.media.sent > spoken + 25)
    await far.hangup()
    await house.hear(PhoneChannel, state="gone")
    assert [event.state for event in house.of(PhoneChannel)] == ["ring", "up", "gone"]
    await house.until(lambda: (asterisk.recordings / "calls/out.wav").stat().st_size > 1000)
    assert house.of(CallGone) == []


async def test_phones_come_and_go(house, an):
    assert house.telephone.unknown_phones == ("ghost",)
    assert [(seen.endpoint, seen.reachable) for seen in house.snapshots[0].endpoints] == [("an", False)]
    await an.register()
    assert await house.hear(PhoneChanged) == PhoneChanged("an", True)
    await an.unregister()
    await house.hear(PhoneChanged, reachable=False)
    await asyncio.sleep(0.05)
    assert house.of(PhoneChanged)[-1] == PhoneChanged("an", False)


async def test_an_agent_who_calls_a_hotline_presses_each_key_once(house, an):
    await an.register()
    far = an.dial("hotline")
    call = (await house.hear(CallArrived)).call
    await house.telephone.run(do.Answer(call, "x"))
    await far.up.wait()
    await far.press("12")
    await house.until(lambda: len(house.of(DigitPressed)) >= 2)
    await asyncio.sleep(0.2)
    assert [event.digit for event in house.of(DigitPressed)] == ["1", "2"]


async def test_calls_outlive_the_controller_and_are_found_again(asterisk, customer, an):
    async with raw_ari(asterisk):
        async with at_home(asterisk) as first:
            call, far, near = await talk(first, customer, an)
        async with at_home(asterisk) as second:
            (seen,) = second.snapshots
            assert {one.id: one.role for one in seen.channels} == {call: "inbound", f"{call}.a1": "leg"}
            assert seen.boot == first.snapshots[0].boot
            assert not near.ended.is_set()
            await far.hangup()
            await second.hear(CallGone, call=call)


async def test_a_second_controller_fences_the_first(asterisk):
    async with at_home(asterisk) as first:
        began = time.monotonic()
        async with at_home(asterisk):
            await first.until(lambda: first.states[-1] is LinkState.REPLACED)
            assert time.monotonic() - began < SLOW_S
            with pytest.raises(LeadLostError):
                await first.link
            with pytest.raises(LeadLostError):
                await first.telephone.run(do.HangUp("1.1", "x", "1.1"))


async def test_asterisk_killed_and_started_again(customer):
    own = PrivateAsterisk(dialplan=DIALPLAN, pjsip=PJSIP)
    own.start()
    try:
        async with at_home(own) as house:
            own.kill()
            assert await house.until(lambda: house.states[-1] is LinkState.LOST) < SLOW_S
            await asyncio.sleep(1.5)  # long enough for the pauses to have grown
            own.start()
            assert await house.live() < 10 * SLOW_S
            before, after = house.snapshots[0], house.snapshots[-1]
            assert before.boot != after.boot
            assert after.channels == ()
    finally:
        own.stop()


async def test_asterisk_frozen(monkeypatch):
    own = PrivateAsterisk()
    own.start()
    try:
        async with at_home(own) as house:
            own.freeze()
            took = await house.until(lambda: house.states[-1] is LinkState.LOST)
            assert took < 5.0 + SLOW_S
            own.thaw()
            await house.live()
    finally:
        own.stop()


async def test_a_controller_with_a_wrong_password_says_so(asterisk):
    telephone = AriTelephone(Ari(url=asterisk.url, user=USER, password="wrong", app="tongdai"))
    with pytest.raises(TelephoneError, match=r"401|password"):
        await telephone._open()
