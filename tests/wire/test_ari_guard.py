"""A telephone that may have been replaced: nothing is asked of Asterisk before it is known who leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from controller.ari import pulse as module
from controller.ari.link import LinkState
from controller.ari.telephone import AriTelephone
from controller.core.commands import HangUp
from controller.errors import LeadLostError, TelephoneError
from tests.wire.fake_ari import FakeAri, fake_ari

pytestmark = pytest.mark.wire

COMMAND = HangUp("1700000000.1", "test", "1700000000.1")


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeAri]:
    async with fake_ari() as found:
        yield found


class Guarded:
    """A telephone with a lease behind it; `refused` is what the lease says of us."""

    def __init__(self, fake: FakeAri) -> None:
        self.fake = fake
        self.proved = 0
        self.refused = False
        self.telephone = AriTelephone(fake.settings, self._prove)
        self.syncing = asyncio.Event()
        self.running: asyncio.Task[None]

    def _on_link(self, state: LinkState) -> None:
        if state is LinkState.SYNCING:
            self.syncing.set()

    async def _prove(self) -> None:
        self.proved += 1
        if self.refused:
            raise LeadLostError("another controller leads")

    async def begin(self) -> asyncio.Task[None]:
        running = asyncio.create_task(self.telephone.run_link(lambda _: None, self._on_link))
        await asyncio.wait_for(self.syncing.wait(), 20.0)
        self.telephone.synced()
        return running

    def hangups(self) -> list[str]:
        return [line for line in self.fake.lines if line.startswith("DELETE")]


@pytest_asyncio.fixture
async def guarded(fake: FakeAri, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guarded]:
    monkeypatch.setattr(module, "PING_EVERY_S", 30.0)
    found = Guarded(fake)
    found.running = await found.begin()
    yield found
    found.running.cancel()
    await asyncio.gather(found.running, return_exceptions=True)
    await found.telephone.close()


async def test_a_link_heard_of_lately_is_commanded_at_once(guarded: Guarded) -> None:
    await guarded.telephone.run(COMMAND)
    assert len(guarded.hangups()) == 1
    assert guarded.proved == 1, "the lease was asked before the connect"


async def test_after_a_silence_a_pong_comes_before_the_command(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_MAX_S", -1.0)
    await guarded.telephone.run(COMMAND)
    assert len(guarded.hangups()) == 1


async def test_who_wakes_up_replaced_commands_nothing(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word that we were replaced stands unread in the socket while the command is ready."""
    monkeypatch.setattr(module, "QUIET_MAX_S", -1.0)
    await guarded.fake.say("ApplicationReplaced")
    with pytest.raises((LeadLostError, TelephoneError)):
        await guarded.telephone.run(COMMAND)
    assert guarded.hangups() == []
    with pytest.raises(LeadLostError):
        await asyncio.wait_for(guarded.running, 20.0)


async def test_a_silent_asterisk_is_commanded_nothing(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_MAX_S", -1.0)
    monkeypatch.setattr(module, "PING_EVERY_S", 0.2)
    guarded.telephone._pulse._ponged -= 5
    with pytest.raises(TelephoneError):
        await guarded.telephone.run(COMMAND)
    assert guarded.hangups() == []


async def test_who_does_not_lead_does_not_connect_again(fake: FakeAri) -> None:
    found = Guarded(fake)
    running = await found.begin()
    found.refused = True
    fake.cut()
    with pytest.raises(LeadLostError):
        await asyncio.wait_for(running, 20.0)
    assert fake.connects == 1
    await found.telephone.close()
