"""The checks see what they are there to see: each is shown a world in which exactly that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.core import invariants
from controller.core.events import LinkLost, OutboundAsked, PhoneChannel, Ticked
from controller.core.model import Agent, AgentPhase, Alert, Phase, TrunkState
from controller.core.step import Step
from controller.core.world import World
from tests.core.setups import SALES, small
from tests.core.words import answers, arrives, leaves, status
from tests.playbook import Playbook, given

pytestmark = pytest.mark.pure

Wrong = Callable[[Playbook], None]


def offered() -> Playbook:
    return given(small("an", "binh", wrap_up=20)).available("an").when(arrives(1))


def talking() -> Playbook:
    return offered().when(answers(1))


def dialled() -> Playbook:
    return given(small("an", "binh")).when(OutboundAsked("1.9", "an", "0967123456"))


def releasing() -> Playbook:
    return offered().when(leaves(1))


def agent(name: str = "an", **fields: object) -> Wrong:
    return lambda book: book.world.put(replace(book.agent(name), **fields)) and None


def call(name: str = "1.1", **fields: object) -> Wrong:
    return lambda book: book.world.put(replace(book.call(name), **fields)) and None


def twice(book: Playbook) -> None:
    (offer,) = book.call("1.1").offers
    book.world.put(replace(book.call("1.1"), offers=(offer, offer)))


def elsewhere(book: Playbook) -> None:
    book.world.put(replace(book.call("1.1"), id="1.2"))


def alert(**fields: object) -> Wrong:
    row = Alert("1.1.talk_time", "talk_time", "1.1", SALES, "sales", "an", 1, 2)
    return lambda book: book.world.put(replace(row, **fields)) and None


def trunk(**fields: object) -> Wrong:
    return lambda book: book.world.put(replace(book.world.trunks["v1"], **fields)) and None


def hidden_agent(book: Playbook) -> None:
    """Somebody is free and untried, and nobody was told."""
    book.world.put(Agent("binh", "available", reachable=True, state="ready"))


def lost_place(book: Playbook) -> None:
    book.world._waiting["sales"].clear()


def stranger(book: Playbook) -> None:
    book.world.put(Agent("stranger"))


def gone(book: Playbook) -> None:
    book.world.remove("call", "1.1")


@pytest.mark.parametrize(
    ("start", "wrong", "number"),
    [
        (offered, agent(phase=AgentPhase.IDLE, call="", leg=""), "S1"),
        (offered, agent(leg="1.1.a7"), "S1"),
        (offered, agent(call="1.7"), "S1"),
        (offered, elsewhere, "S1"),
        (offered, call(phase=Phase.MENU, prompt_until_ms=2**50), "S2"),
        (offered, twice, "S2"),
        (offered, call(queue="gone"), "S12"),
        (offered, call(max_wait_at_ms=None), "S11"),
        (offered, call(max_wait_at_ms=5), "S6"),
        (offered, call(queued_at_ms=1), "S11"),
        (offered, call(arrived_at_ms=2**50), "S11"),
        (offered, agent(releasing_until_ms=2**50), "S1"),
        (offered, gone, "L2"),
        (offered, lost_place, "S5"),
        (offered, stranger, "S12"),
        (offered, alert(call="7.7"), "S7"),
        (offered, alert(id="other"), "S7"),
        (offered, alert(cleared_at_ms=7), "S7"),
        (talking, agent(phase=AgentPhase.IDLE, call="", leg=""), "S3"),
        (talking, call(leg="1.1.a9"), "S3"),
        (talking, call(leg=""), "S3"),
        (talking, call(phase=Phase.ENDING), "S11"),
        (talking, call(phase=Phase.MENU, leg="", agent=""), "L1"),
        (talking, agent(wrap_up_until_ms=2**50), "S1"),
        (releasing, agent(leg=""), "S1"),
        (releasing, agent(releasing_until_ms=None), "S1"),
        (dialled, agent(phase=AgentPhase.IDLE, call=""), "S1"),
        (dialled, agent(leg="1.9.a1"), "S1"),
        (dialled, trunk(live=()), "S8"),
        (dialled, trunk(live=("1.9", "1.9")), "S8"),
        (dialled, trunk(live=("1.9", "7.7")), "S8"),
        (dialled, trunk(cooling_until_ms=3), "S6"),
    ],
)
def test_what_is_wrong_is_seen(start: Callable[[], Playbook], wrong: Wrong, number: str) -> None:
    book = start()
    if start is dialled:
        book.when(PhoneChannel("an", "1.9", "up"))
    assert invariants.check(book.world, book.now_ms) == []
    wrong(book)
    found = invariants.check(book.world, book.now_ms)
    assert number in {breach.partition(" ")[0] for breach in found}, found


def test_somebody_free_beside_somebody_waiting_is_seen_while_asterisk_is_heard() -> None:
    book = given(small("an", "binh")).when(status("an", "not_ready")).when(arrives(1))
    hidden_agent(book)
    assert [breach[:2] for breach in invariants.check(book.world, book.now_ms)] == ["L3"]
    book.world.linked = False
    assert invariants.check(book.world, book.now_ms) == []
    book.world.linked = True
    book.world.put(replace(book.call("1.1"), tried=("binh",)))
    assert invariants.check(book.world, book.now_ms) == []


def test_a_forward_that_no_trunk_counts_is_seen() -> None:
    book = dialled()
    row = replace(book.call("1.9"), id="1.5", phase=Phase.FORWARDING, leg="1.5.p1", agent="", key_until_ms=2**50)
    book.world.put(replace(row, trunk="v7"))
    assert any(breach.startswith("S8 call 1.5") for breach in invariants.check(book.world, book.now_ms))
    book.world.put(TrunkState("v7", ("1.5",)))
    assert invariants.check(book.world, book.now_ms) == []


def test_a_broken_step_is_judged_by_its_world_alone() -> None:
    world = World(small("an"))
    assert invariants.check(world, 1, Step("Ticked#1", (), (), (), broken="KeyError")) == []


def test_a_whole_day_is_clean() -> None:
    book = talking().when(LinkLost("cut")).when(Ticked())
    assert invariants.check(book.world, book.now_ms) == []


def test_an_agent_with_a_call_and_nothing_to_do_is_seen() -> None:
    book = offered()
    book.world.put(replace(book.agent("binh"), call="1.1"))
    assert any("has the call" in breach for breach in invariants.check(book.world, book.now_ms))
    alert(kind="answer_time")(book)
    assert any(breach.startswith("S7") for breach in invariants.check(book.world, book.now_ms))
