"""Attended transfer: the agent asks an outside phone while the caller hears music, and then decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.core import call as calls
from controller.core.commands import Consult, HangUp, Join, Part, RingPhone, StartMusic, StartRinging, StopRinging
from controller.core.consulting import NO_TRUNK
from controller.core.events import (
    CallGone,
    ChannelSeen,
    CommandFailed,
    ConsultAsked,
    HangupAsked,
    LegAnswered,
    LinkLost,
    TransferAsked,
)
from controller.core.facts import (
    AttemptEnded,
    CallAnswered,
    CallEnded,
    CallTransferred,
    ConsultAnswered,
    ConsultEnded,
    ConsultStarted,
    OutboundBlocked,
    OutboundPicked,
    TransferAnswered,
)
from controller.core.model import AgentPhase, Phase
from controller.core.setup import Blocked, Limits, Setup
from tests.core.setups import SALES
from tests.core.test_matrix import examples
from tests.core.test_outbound import SECOND, trunks
from tests.core.words import answers, arrives, caller_seen, leg_gone, leg_seen, snapshot
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

BEGIN = ConsultAsked("1.1", "begin", "0967123456", by="an")
COMPLETE, CANCEL = ConsultAsked("1.1", "complete", by="an"), ConsultAsked("1.1", "cancel", by="an")
PHONE = LegAnswered("1.1", "1.1.p2")
CALLEE = "+84967123456"
BRIDGE = "1.1.br"


def talking(setup: Setup | None = None) -> Playbook:
    return given(setup or trunks()).available("an").when(arrives()).when(answers()).passes(5)


def ringing(setup: Setup | None = None) -> Playbook:
    return talking(setup).when(BEGIN)


def consulting(setup: Setup | None = None) -> Playbook:
    return ringing(setup).passes(3).when(PHONE)


def resting() -> Setup:
    setup = trunks()
    return replace(setup, agents=tuple(replace(row, wrap_up=30) for row in setup.agents))


def alone_again(book: Playbook) -> None:
    """Agent and caller talk as before, and nothing of the consultation is left."""
    call = book.call("1.1")
    assert (call.phase, call.agent, call.leg, call.consult) == (Phase.TALKING, "an", "1.1.a1", "")
    assert (call.trunk, call.callee, call.attempts, call.key_until_ms) == ("", "", (), None)
    assert (book.world.trunks["v1"].live, book.world.agent_uses["an"].use.live) == ((), ())
    assert book.agent("an").phase is AgentPhase.TALKING


def test_the_caller_hears_music_while_agent_and_phone_talk_and_gets_the_phone_then() -> None:
    book = ringing(resting())
    book.only(
        a(RingPhone, leg="1.1.p2", number="0967123456", caller_id=SALES),
        a(Part, call="1.1", bridge=BRIDGE),
        a(StartMusic, call="1.1"),
        a(StartRinging, channel="1.1.a1"),
    )
    book.then(a(OutboundPicked, agent="an"), a(ConsultStarted, agent="an", callee=CALLEE), never(CallTransferred))
    assert (book.call("1.1").phase, book.agent("an").state) == (Phase.TALKING, "talking")
    book.passes(3).when(PHONE).only(
        a(StopRinging, channel="1.1.a1"), a(Consult, leg="1.1.p2", agent_leg="1.1.a1", bridge=BRIDGE)
    )
    book.then(a(AttemptEnded, status="ANSWER"), a(ConsultAnswered, callee=CALLEE), never(CallAnswered))
    book.passes(20).when(COMPLETE).only(a(HangUp, channel="1.1.a1"), a(Join, leg="1.1.p2", bridge=BRIDGE))
    book.then(a(ConsultEnded, outcome="completed"), a(CallTransferred, callee=CALLEE), a(TransferAnswered))
    assert (book.agent("an").phase, book.call("1.1").served_by) == (AgentPhase.RELEASING, "an")
    assert book.agent("an").wrap_up_until_ms is not None
    book.when(leg_gone()).passes(7).when(CallGone("1.1", 16)).then(a(HangUp, channel="1.1.p2"))
    ended = book.one(CallEnded)
    assert (ended.result, ended.end_cause, ended.agent, ended.callee) == ("answered", "caller", "an", CALLEE)
    assert (ended.trunk, ended.caller_id, book.world.trunks["v1"].live) == ("v1", SALES, ())


def test_the_agent_goes_back_to_the_caller() -> None:
    for book in (ringing(), consulting()):
        stop = () if book.call("1.1").consulted_at_ms is not None else (a(StopRinging, channel="1.1.a1"),)
        book.when(CANCEL).only(*stop, a(HangUp, channel="1.1.p2"), a(Join, leg="1.1.a1", bridge=BRIDGE))
        book.then(a(ConsultEnded, outcome="cancelled"), never(CallTransferred))
        alone_again(book)
        book.when(leg_gone(leg=2, kind="p")).only()
        book.when(replace(BEGIN, via=SECOND)).then(a(RingPhone, leg="1.1.p3", caller_id=SECOND))


@pytest.mark.parametrize(
    ("cause", "tech", "outcome"),
    [(17, 486, "busy"), (21, 603, "declined"), (19, 480, "no_answer"), (1, 404, "unreachable")],
)
def test_a_phone_that_cannot_be_had_gives_the_agent_back(cause: int, tech: int, outcome: str) -> None:
    book = ringing().when(leg_gone(leg=2, cause=cause, tech=tech, kind="p")).then(a(Join, leg="1.1.a1"))
    assert book.one(ConsultEnded).outcome == outcome
    alone_again(book)


def test_a_phone_that_is_not_picked_up_stops_ringing() -> None:
    book = ringing().passes(46).then(a(HangUp, channel="1.1.p2"), a(Join, leg="1.1.a1"))
    book.then(a(AttemptEnded, status="NOANSWER"), a(ConsultEnded, outcome="no_answer"))
    alone_again(book)


def test_a_phone_that_hangs_up_gives_the_agent_back() -> None:
    book = consulting().when(leg_gone(leg=2, kind="p")).then(a(Join, leg="1.1.a1"), a(ConsultEnded, outcome="callee"))
    alone_again(book)


def test_another_trunk_is_tried_and_the_last_that_fails_gives_the_agent_back() -> None:
    book = ringing().when(leg_gone(leg=2, cause=34, tech=503, kind="p"))
    n = 3
    while any(isinstance(command, RingPhone) for command in book.commands):
        book.then(a(RingPhone, leg=f"1.1.p{n}"), never(Join), never(ConsultEnded))
        assert book.call("1.1").consult == f"1.1.p{n}"
        book.when(leg_gone(leg=n, cause=34, tech=503, kind="p"))
        n += 1
    assert n > 3, "there was another trunk"
    book.then(a(Join, leg="1.1.a1"), a(ConsultEnded, outcome=NO_TRUNK))
    alone_again(book)


def test_an_agent_who_hangs_up_leaves_the_caller_to_the_phone() -> None:
    book = consulting(resting()).when(leg_gone()).only(a(Join, leg="1.1.p2", bridge=BRIDGE))
    book.then(a(ConsultEnded, outcome="completed"), a(CallTransferred), a(TransferAnswered))
    assert (book.agent("an").phase, book.agent("an").state) == (AgentPhase.IDLE, "wrap_up")
    assert (book.call("1.1").served_by, book.call("1.1").leg) == ("an", "1.1.p2")


@pytest.mark.parametrize("event", [COMPLETE, leg_gone()], ids=["completed", "hung up"])
def test_a_phone_that_still_rings_is_waited_for_as_in_a_blind_transfer(event: ConsultAsked) -> None:
    book = ringing().when(event).then(never(Join), never(Part), a(CallTransferred), never(TransferAnswered))
    assert (book.call("1.1").phase, book.call("1.1").leg) == (Phase.FORWARDING, "1.1.p2")
    book.when(PHONE).then(a(Join, leg="1.1.p2"), a(TransferAnswered))
    book = ringing().when(event).passes(46).then(a(HangUp, channel="1.1.p2"), a(HangUp, channel="1.1"))


def test_a_caller_who_leaves_ends_it_for_everybody() -> None:
    for book, attempt in ((ringing(), "CANCEL"), (consulting(), "")):
        book.passes(1).when(CallGone("1.1", 16)).then(a(HangUp, channel="1.1.p2"), a(HangUp, channel="1.1.a1"))
        book.then(a(ConsultEnded, outcome="gone"), a(CallEnded, end_cause="caller", agent="an", callee="", trunk=""))
        assert [fact.status for fact in book.facts if isinstance(fact, AttemptEnded)] == ([attempt] if attempt else [])
        assert (book.world.trunks["v1"].live, book.world.agent_uses["an"].use.live) == ((), ())


def test_a_supervisor_ends_it_for_everybody() -> None:
    book = consulting().when(HangupAsked("1.1", "boss")).then(a(HangUp, channel="1.1.p2"), a(HangUp, channel="1.1.a1"))
    book.when(CallGone("1.1", 16)).then(a(CallEnded, end_cause="supervisor"))


def test_what_may_not_be_done_changes_nothing() -> None:
    waiting = given(trunks()).available("an").when(arrives()).when(BEGIN).only()
    codes = [waiting.answer.code, waiting.when(replace(BEGIN, call="9.9")).answer.code]
    book = talking()
    codes += [book.when(event).only().answer.code for event in (COMPLETE, CANCEL, replace(BEGIN, action="x"))]
    book.when(BEGIN)
    codes += [book.when(event).only().answer.code for event in (BEGIN, TransferAsked("1.1", "0967123456"))]
    assert codes == ["conflict", "not_found", "conflict", "conflict", "invalid", "conflict", "conflict"]
    book = talking(replace(trunks(), blocked=(Blocked(CALLEE),))).when(BEGIN).only()
    book.then(a(OutboundBlocked, agent="an", reason="blocked"), never(ConsultStarted))
    assert (book.answer.code, str(book.answer.reason)) == ("refused", f"{CALLEE} may not be called: blocked")


def test_every_consultation_is_a_call_out_of_the_agent() -> None:
    setup = trunks()
    limited = tuple(replace(row, limits=Limits(calls_per_day=2)) for row in setup.agents)
    book = ringing(replace(setup, agents=limited)).when(CANCEL).when(BEGIN)
    assert (book.world.agent_uses["an"].use.calls, book.world.agent_uses["an"].use.live) == (2, ("1.1",))
    book.when(CANCEL).when(BEGIN).then(never(RingPhone), a(OutboundBlocked, reason="over_limit"))
    alone_again(book)


def test_what_agent_and_caller_said_costs_the_trunk_no_minutes() -> None:
    setup = trunks()
    counted = replace(
        setup,
        hotlines=tuple(replace(row, limits=Limits(minutes_per_day=60)) for row in setup.hotlines),
        trunks=tuple(replace(row, minutes_per_day=60) for row in setup.trunks),
    )
    book = talking(counted).passes(600).when(BEGIN).passes(2).when(CANCEL)
    assert (book.world.hotlines[SALES].use.talked_ms, book.world.trunks["v1"].use.talked_ms) == (0, 0)
    book.when(BEGIN).when(LegAnswered("1.1", "1.1.p3")).passes(60).when(CANCEL)
    assert 60_000 <= book.world.hotlines[SALES].use.talked_ms < 61_000
    assert 60_000 <= book.world.trunks["v1"].use.talked_ms < 61_000


def test_the_end_of_the_minutes_ends_the_consultation_and_not_the_call() -> None:
    setup = trunks()
    counted = tuple(replace(row, limits=Limits(minutes_per_day=1)) for row in setup.hotlines)
    book = consulting(replace(setup, hotlines=counted)).passes(61).then(a(Join, leg="1.1.a1"))
    book.then(a(ConsultEnded, outcome="limit"))
    alone_again(book)


def test_commands_that_fail_give_the_agent_back() -> None:
    for name, begin in (("RingPhone", ringing), ("Consult", consulting)):
        book = begin().when(CommandFailed("1.1", name, "1.1.p2", "no"))
        for n in range(3, 9):
            if book.call("1.1").consult:
                book.when(CommandFailed("1.1", name, f"1.1.p{n}", "no"))
        book.then(a(Join, leg="1.1.a1"), a(ConsultEnded))
        alone_again(book)


@pytest.mark.parametrize("begin", [ringing, consulting])
@pytest.mark.parametrize("kind", calls.MOVES, ids=lambda kind: kind.__name__)
def test_whatever_is_told_meanwhile_does_no_harm(kind: type, begin: Callable[[], Playbook]) -> None:
    for event in examples(kind, begin()):
        about_phone = getattr(event, "leg", "") == "1.1.p1"
        begin().when(replace(event, leg="1.1.p2") if about_phone else event).passes(300)


# -- after a restart, a cut, an audit --------------------------------------------------------------------------------

EVERYBODY = (caller_seen(), leg_seen("1.1.a1", "an"), leg_seen("1.1.p2", "v1"))


def test_a_restart_finds_a_consultation_where_it_was() -> None:
    book = consulting().restarted()
    book.when(snapshot(*EVERYBODY, bridges={BRIDGE: ("1.1.a1", "1.1.p2")}, phones=("an", "binh")))
    book.then(never(Join), never(HangUp), never(Part), never(Consult), a(StartMusic))
    assert book.call("1.1").consult == "1.1.p2"
    book.when(COMPLETE).then(a(Join, leg="1.1.p2"), a(TransferAnswered))


def test_a_restart_does_what_was_left_undone() -> None:
    book = ringing().restarted()
    book.when(snapshot(*EVERYBODY, bridges={BRIDGE: ("1.1", "1.1.a1")}, phones=("an", "binh")))
    book.then(a(Part, bridge=BRIDGE), a(StartMusic), a(Consult, leg="1.1.p2"), a(ConsultAnswered))


@pytest.mark.parametrize(
    ("left", "outcome"),
    [(EVERYBODY[:2], "lost"), ((EVERYBODY[0], EVERYBODY[2]), "completed"), (EVERYBODY[:1], "lost")],
)
def test_who_is_gone_after_a_cut(left: tuple[ChannelSeen, ...], outcome: str) -> None:
    book = consulting().when(LinkLost("cut")).when(snapshot(*left, phones=("an", "binh")))
    assert [fact.outcome for fact in book.facts if isinstance(fact, ConsultEnded)] == [outcome]
    assert book.call("1.1").phase is (Phase.TALKING if len(left) > 1 else Phase.ENDING)
    assert book.call("1.1").leg == {"1.1.a1": "1.1.a1", "1.1.p2": "1.1.p2", "1.1": ""}[left[-1].id]


def test_an_audit_that_is_older_than_the_consultation_is_not_believed_about_it() -> None:
    book = talking()
    asked_at_ms = book.now_ms
    book.when(BEGIN).when(
        snapshot(*EVERYBODY[:2], bridges={BRIDGE: ("1.1", "1.1.a1")}, phones=("an", "binh"), asked_at_ms=asked_at_ms)
    )
    book.only()
    assert book.call("1.1").consult == "1.1.p2"
    book.passes(5).when(
        snapshot(*EVERYBODY[:2], bridges={BRIDGE: ("1.1", "1.1.a1")}, phones=("an", "binh"), asked_at_ms=book.now_ms)
    )
    book.then(a(Join, leg="1.1.a1"), a(ConsultEnded, outcome="lost"))
