"""The way to Asterisk is cut while a phone rings, while two talk, while a third is asked first; people go on meanwhile.

Whatever they do in that time, each call ends as it would have without the cut (F6). `tests/recordings` keeps what the
daemon was told.
"""

from __future__ import annotations

import pytest

from controller.lab.sipcall import Rule, SipCall
from tests.faults.figures import record
from tests.faults.ward import Ward
from tests.live.floor import CARRIER_HZ, CUSTOMER_HZ
from tests.live.harness import soon, until
from tests.live.setups import HOTLINE, hotline, queue, whole

pytestmark = pytest.mark.faults

CALLER, OTHER, ASKED = "0281000001", "0281000002", "0967000131"
SETUP = whole(
    hotline(queue="sales", outbound=True), queue("sales", "team", max_wait=120), groups={"team": ("a1", "a2")}
)


async def _cut(floor: Ward) -> None:
    """Nobody gets through from here on."""
    floor.rude.refuse()
    floor.rude.cut("rst", everything=True)
    await floor.noticed()


async def _mended(floor: Ward) -> None:
    floor.rude.listen()
    await floor.resynced()


def _as_without(what: str) -> None:
    record("F6", f"cut {what}: ends as without the cut", "0 events lost in effect", "it does", times=1, passed=True)


async def _rings(floor: Ward) -> tuple[SipCall, SipCall]:
    phone = await floor.desk("a1", rule=Rule(status=0))
    call = floor.dial(HOTLINE, CALLER)
    leg = await phone.next_call()
    await soon(leg.ringing, "the agent rings")
    await floor.live(CALLER, state="ringing")
    return call, leg


async def test_answered_while_nobody_listens(floor: Ward) -> None:
    call, leg = await _rings(floor)
    await _cut(floor)
    await leg.answer()
    await soon(leg.up, "the agent picks up")
    await _mended(floor)
    await floor.live(CALLER, state="talking", agent="a1")
    await floor.talk_both_ways("a1", call)
    assert len(floor.phones["a1"].live()) == 1
    await call.hangup()
    row = await floor.ended(CALLER)
    assert (row["result"], row["agent"], row["end_cause"]) == ("answered", "a1", "caller")
    _as_without("in mid-ring, answered meanwhile")


async def test_refused_while_nobody_listens(floor: Ward) -> None:
    call, leg = await _rings(floor)
    await _cut(floor)
    await leg.hangup()
    await _mended(floor)
    again = await floor.phones["a1"].next_call()
    await again.answer()
    await floor.live(CALLER, state="talking", agent="a1")
    await call.hangup()
    assert (await floor.ended(CALLER))["result"] == "answered"
    _as_without("in mid-ring, refused meanwhile")


async def test_given_up_while_nobody_listens(floor: Ward) -> None:
    call, leg = await _rings(floor)
    await _cut(floor)
    await call.hangup()
    await _mended(floor)
    row = await floor.ended(CALLER)
    assert (row["result"], row["end_cause"]) == ("missed", "caller")
    await soon(leg.ended, "the phone that rang for nobody is let go")
    await floor.state("a1", "ready")
    _as_without("in mid-ring, given up meanwhile")


@pytest.mark.parametrize("who", ["agent", "caller"])
async def test_a_talk_ends_while_nobody_listens(floor: Ward, who: str) -> None:
    phone = await floor.desk("a1")
    call, _ = await floor.talk(HOTLINE, CALLER)
    waiting = floor.dial(HOTLINE, OTHER)
    await floor.live(OTHER, state="waiting")
    leg = phone.live()[0]
    await _cut(floor)
    await (leg if who == "agent" else call).hangup()
    await _mended(floor)
    assert (await floor.ended(CALLER))["result"] == "answered"
    await soon(call.ended, "the caller is let go")
    await floor.live(OTHER, state="talking", agent="a1")
    await waiting.hangup()
    assert (await floor.ended(OTHER))["result"] == "answered"
    _as_without(f"in mid-talk, ended by the {who} meanwhile")


async def _consults(floor: Ward) -> tuple[SipCall, SipCall, SipCall]:
    """The caller, the agent's side, and a phone that is asked first and has not picked up yet."""
    switch = floor.carrier("viettel", Rule(status=0))
    phone = await floor.desk("a1")
    call, row = await floor.talk(HOTLINE, CALLER)
    asked = await floor.api.send("POST", f"/api/v1/calls/{row['id']}/consult", {"action": "begin", "to": ASKED})
    assert asked.status_code == 202, asked.text
    callee = await switch.next_call()
    await floor.live(CALLER, consulting="ringing")
    return call, phone.live()[0], callee


async def test_a_phone_asked_first_picks_up_while_nobody_listens(floor: Ward) -> None:
    call, leg, callee = await _consults(floor)
    await _cut(floor)
    await callee.answer()
    await soon(callee.up, "the phone picks up")
    await _mended(floor)
    row = await floor.live(CALLER, consulting="talking")
    await floor.hears(leg, CARRIER_HZ, "the agent hears the phone")
    done = await floor.api.send("POST", f"/api/v1/calls/{row['id']}/consult", {"action": "complete"})
    assert done.status_code == 202, done.text
    await floor.hears(call, CARRIER_HZ, "the caller hears the phone")
    await soon(leg.ended, "the agent is let go")
    await call.hangup()
    assert (await floor.ended(CALLER))["agent"] == "a1"
    _as_without("in a consultation, answered meanwhile")


async def test_an_agent_who_asks_first_leaves_while_nobody_listens(floor: Ward) -> None:
    call, leg, callee = await _consults(floor)
    await callee.answer()
    await floor.live(CALLER, consulting="talking")
    await _cut(floor)
    await leg.hangup()
    await _mended(floor)
    await floor.hears(call, CARRIER_HZ, "the caller hears the phone")
    await floor.hears(callee, CUSTOMER_HZ, "the phone hears the caller")
    await call.hangup()
    await soon(callee.ended, "the phone is let go")
    assert (await floor.ended(CALLER))["agent"] == "a1"
    _as_without("in a consultation, left by the agent meanwhile")


async def test_the_consulted_phone_leaves_while_nobody_listens(floor: Ward) -> None:
    call, _, callee = await _consults(floor)
    await callee.answer()
    await floor.live(CALLER, consulting="talking")
    await _cut(floor)
    await callee.hangup()
    await _mended(floor)

    async def back() -> bool:
        return (await floor.live(CALLER))["consulting"] is None

    await until(back, "agent and caller are left")
    await floor.talk_both_ways("a1", call)
    await call.hangup()
    assert (await floor.ended(CALLER))["result"] == "answered"
    _as_without("in a consultation, left by the phone meanwhile")
