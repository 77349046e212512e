"""Oddities that SIP itself ends after 64 T1: T1 is 100 ms here, so 6.4 s stand for the 32 s of an ordinary network.

The numbers are those of the table in docs/sip-oddities.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.lab import phones
from controller.lab.sipcall import Rule
from tests.live.floor import CARRIERS, Floor
from tests.live.harness import Lab, soon, until
from tests.live.patience import PATIENCE_S, READY_S
from tests.live.setups import HOTLINE, ODDITIES, hotline, queue, whole

pytestmark = [pytest.mark.live, ODDITIES]

T1_MS = 100
GIVEN_UP_S = 64 * T1_MS / 1000
SETUP = whole(
    hotline(queue="sales", outbound=True),
    queue("sales", "team", ring_time=30),
    groups={"team": ("a1", "a2", "a3")},
    agents={"a3": {"outbound_with": HOTLINE}},
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of this module's own, whose SIP is quick to give up."""
    running = Lab.start(tmp_path_factory.mktemp("timers"), SETUP, sip_t1_ms=T1_MS)
    try:
        yield running
    finally:
        running.stop()


async def test_03_12_15_what_is_never_answered_is_given_up(floor: Floor, tmp_path: Path) -> None:
    """Three at once, because each takes its time: a caller without an ACK, a switch that is not there, a phone that
    hears no CANCEL.
    """
    silent = Rule(silent=True)
    deaf = await floor.desk("a1", rule=Rule(status=0))
    abandoned = floor.dial(HOTLINE, "0281000015")
    ghost = await deaf.next_call()
    await soon(ghost.ringing, "the phone rings")
    ghost.deaf_to = frozenset({"CANCEL"})
    await abandoned.hangup()
    row = await floor.ended("0281000015")
    assert (row["result"], row["end_cause"]) == ("missed", "caller")
    await floor.api.status("a1", "not_ready")

    await floor.desk("a2")
    host = CARRIERS["mobifone"]
    scenario = (Path(__file__).parent / "sipp" / "no-ack.xml").read_text(encoding="utf-8")
    at = (host, phones.free_port(host))
    mute = phones.Sipp("no-ack", scenario, floor.lab.sip, tmp_path / "sipp", at, HOTLINE, calls=1, life_s=30).start()
    await floor.live(state="talking", agent="a2")

    nobody, spare = floor.carrier("viettel", silent), floor.carrier("spare")
    third = await floor.desk("a3")
    began = asyncio.get_running_loop().time()
    dialling = third.dial("0967000111")
    unheard = await nobody.next_call()

    carried = await spare.next_call(GIVEN_UP_S + PATIENCE_S)
    assert asyncio.get_running_loop().time() - began > GIVEN_UP_S - 2
    await soon(dialling.up, "the agent talks by the next trunk")
    await dialling.hangup()
    await soon(carried.ended, "the callee is let go")
    unheard.close()

    async def given_up() -> bool:
        return not mute.running()

    await until(given_up, "the call without an ACK is ended by Asterisk", READY_S)
    assert mute.wait(PATIENCE_S) == 0, mute.errors()
    row = await floor.ended()
    assert (row["result"], row["agent"], row["end_cause"]) == ("answered", "a2", "caller")
    await floor.state("a2", "ready")

    assert len(deaf.calls) == 1, "no second INVITE for a caller who is gone"
    assert ghost.heard["CANCEL"] > 1, "the CANCEL was repeated and given up"
    outbound = await floor.api.calls("ended", since=floor.began, direction="outbound")
    assert [(call["result"], call["trunk"]) for call in outbound] == [("answered", "spare")]
    story = await floor.api.story(outbound[0]["id"])
    assert [line["body"]["trunk"] for line in story if line["name"] == "TrunkFailed"] == ["viettel"]
