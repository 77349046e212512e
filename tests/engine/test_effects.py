"""Lanes: order where it matters, side by side where it does not, and every failure back as an event."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from controller.core.commands import Answer, CloseBridge, Command, HangUp, Join, Record, ReplyTrunks, RingAgent
from controller.core.events import CommandFailed, Event, SnapshotTaken
from controller.effects import Effects
from controller.errors import TelephoneError

pytestmark = pytest.mark.pure


class SlowTelephone:
    """Notes when each command begins and ends; a command named in `fail` is refused, one in `gate` waits."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.gate: dict[str, asyncio.Event] = {}
        self.fail: set[str] = set()

    async def run(self, command: Command) -> None:
        name = f"{type(command).__name__}:{getattr(command, 'leg', getattr(command, 'channel', ''))}"
        self.log.append(f"+{name}")
        if name in self.gate:
            await self.gate[name].wait()
        if name in self.fail:
            raise TelephoneError("no such endpoint")
        self.log.append(f"-{name}")

    async def snapshot(self) -> SnapshotTaken:
        return SnapshotTaken("boot")

    async def watch_phones(self, endpoints: Sequence[str]) -> None:
        del endpoints


@pytest.fixture
def phone() -> SlowTelephone:
    return SlowTelephone()


async def settled() -> None:
    """Everybody who can go on has gone on: in rounds of the loop, for a moment may be over before they have begun."""
    for _ in range(100):
        await asyncio.sleep(0)


def effects_of(phone: SlowTelephone, told: list[Event]) -> Effects:
    return Effects(phone, told.append, lambda _command: None, lambda _name, _outcome: None)


def ring(leg: str) -> RingAgent:
    return RingAgent("1.1", "x", leg, "an", "0967", "", 20)


async def test_commands_about_the_caller_keep_their_order(phone: SlowTelephone) -> None:
    phone.gate["Answer:"] = asyncio.Event()
    effects = effects_of(phone, [])
    effects.release([Answer("1.1", "x"), HangUp("1.1", "x", "1.1")])
    await settled()
    assert phone.log == ["+Answer:"]
    phone.gate["Answer:"].set()
    await effects.drain(20.0)
    assert phone.log == ["+Answer:", "-Answer:", "+HangUp:1.1", "-HangUp:1.1"]


async def test_phones_ring_side_by_side(phone: SlowTelephone) -> None:
    phone.gate["RingAgent:1.1.a1"] = asyncio.Event()
    effects = effects_of(phone, [])
    effects.release([ring("1.1.a1"), ring("1.1.a2")])
    await settled()
    assert "-RingAgent:1.1.a2" in phone.log
    assert "-RingAgent:1.1.a1" not in phone.log
    phone.gate["RingAgent:1.1.a1"].set()
    await effects.drain(20.0)


async def test_a_leg_is_hung_up_after_it_was_rung(phone: SlowTelephone) -> None:
    phone.gate["RingAgent:1.1.a1"] = asyncio.Event()
    effects = effects_of(phone, [])
    effects.release([ring("1.1.a1"), HangUp("1.1", "x", "1.1.a1")])
    await settled()
    assert "+HangUp:1.1.a1" not in phone.log
    phone.gate["RingAgent:1.1.a1"].set()
    await effects.drain(20.0)
    assert phone.log.index("-RingAgent:1.1.a1") < phone.log.index("+HangUp:1.1.a1")


async def test_a_bridge_is_closed_after_every_hang_up(phone: SlowTelephone) -> None:
    phone.gate["HangUp:1.1.a1"] = asyncio.Event()
    effects = effects_of(phone, [])
    effects.release([HangUp("1.1", "x", "1.1.a1"), CloseBridge("1.1", "x", "1.1.br")])
    await settled()
    assert "+CloseBridge:" not in phone.log
    phone.gate["HangUp:1.1.a1"].set()
    await effects.drain(20.0)
    assert phone.log[-1] == "-CloseBridge:"


async def test_a_join_waits_for_what_the_caller_was_doing(phone: SlowTelephone) -> None:
    phone.gate["Answer:"] = asyncio.Event()
    effects = effects_of(phone, [])
    effects.release([Answer("1.1", "x"), Join("1.1", "x", "1.1.a1", "1.1.br"), HangUp("2.1", "x", "2.1")])
    await settled()
    assert phone.log == ["+Answer:", "+HangUp:2.1", "-HangUp:2.1"]
    phone.gate["Answer:"].set()
    await effects.drain(20.0)
    assert phone.log[-1] == "-Join:1.1.a1"


async def test_a_recording_begins_after_the_join(phone: SlowTelephone) -> None:
    phone.gate["Join:1.1.a1"] = asyncio.Event()
    effects = effects_of(phone, [])
    effects.release([Join("1.1", "x", "1.1.a1", "1.1.br"), Record("1.1", "x", "1.1.br", "calls/1.1")])
    await settled()
    assert phone.log == ["+Join:1.1.a1"]
    phone.gate["Join:1.1.a1"].set()
    await effects.drain(20.0)
    assert phone.log[-1] == "-Record:"


async def test_a_join_does_not_wait_for_a_phone_that_lost(phone: SlowTelephone) -> None:
    phone.gate["RingAgent:1.1.a2"] = asyncio.Event()
    effects = effects_of(phone, [])
    effects.release([ring("1.1.a2"), HangUp("1.1", "x", "1.1.a2"), Join("1.1", "x", "1.1.a1", "1.1.br")])
    await settled()
    assert "-Join:1.1.a1" in phone.log
    phone.gate["RingAgent:1.1.a2"].set()
    await effects.drain(20.0)


async def test_a_refusal_comes_back_as_an_event(phone: SlowTelephone) -> None:
    told: list[Event] = []
    phone.fail.add("RingAgent:1.1.a1")
    effects = effects_of(phone, told)
    effects.release([ring("1.1.a1")])
    await effects.drain(20.0)
    assert told == [CommandFailed("1.1", "RingAgent", "1.1.a1", "no such endpoint")]


async def test_a_fenced_instance_commands_nothing(phone: SlowTelephone) -> None:
    effects = effects_of(phone, [])
    effects.fence()
    effects.release([Answer("1.1", "x")])
    await asyncio.sleep(0)
    assert phone.log == []
    assert effects.under_way == 0


async def test_the_dial_path_is_answered_at_once(phone: SlowTelephone) -> None:
    class DialPath:
        def __init__(self) -> None:
            self.replies: list[ReplyTrunks] = []

        def reply(self, command: ReplyTrunks) -> None:
            self.replies.append(command)

    path = DialPath()
    effects = effects_of(phone, [])
    effects.dial_path = path
    command = ReplyTrunks("1.1", "x", None, "no_trunk", 0)
    effects.release([command])
    assert path.replies == [command]
