"""Found: orders, sums and words that were wrong when things came together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core import ids
from controller.core.commands import HangUp, ReplyTrunks, RingAgent
from controller.core.events import (
    ClockMoved,
    LinkLost,
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    PhoneChannel,
    SetupChanged,
)
from controller.core.facts import CallAnswered, CallEnded, CallStarted, TrunkFailed
from controller.core.model import Call
from controller.core.setup import Hotline, Menu, Queue, QueueGroup, Trunk, Way, WayKind
from controller.core.step import step
from controller.core.world import World
from tests.core.setups import NEVER, SALES, small
from tests.core.words import answers, arrives, caller_seen, leaves, leg_gone, leg_seen, rings, snapshot, status
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure


def test_the_sixty_fifth_caller_waited_beside_a_free_agent() -> None:
    """So many callers were looked at in one step, served or not; then the step ended."""
    names = [f"a{n}" for n in range(70)]
    book = given(small(*names, max_size=99), reachable=False).available(*names)
    for n in range(1, 71):
        book.when(arrives(n))
    book.when(snapshot(*(caller_seen(n) for n in range(1, 71)), phones=tuple(names)))
    assert len(book.offered()) == 70


def test_a_clock_that_moved_added_an_hour_to_the_waits_of_the_day() -> None:
    book = given(small("an")).available("an").when(arrives()).passes(3).when(answers())
    waited_ms = book.world.queue_days["sales"].wait_sum_ms
    book.now_ms += 3_600_000
    book.when(ClockMoved(3_600_000))
    assert book.world.queue_days["sales"].wait_sum_ms == waited_ms


def test_a_clock_a_little_behind_after_a_restart_let_a_call_be_answered_before_it_came() -> None:
    book = given(small("an")).when(status("an", "not_ready")).when(arrives())
    again = Playbook(World(book.world.setup, list(book.world.entities())))
    again.stories, again.now_ms = book.stories, book.now_ms - 320
    again.when(SetupChanged(book.world.setup))
    assert again.call("1.1").arrived_at_ms <= again.now_ms


def test_an_answer_given_while_nobody_listened_was_hung_up_by_the_ring_time() -> None:
    book = given(small("an", "binh", ring_time=5)).available("an", "binh").when(arrives()).when(rings())
    book.when(LinkLost("cut")).passes(6).then(never(HangUp))
    book.when(snapshot(caller_seen(), leg_seen("1.1.a1", "an"), phones=("an", "binh"))).then(
        a(CallAnswered, agent="an")
    )


def test_a_talk_whose_row_was_never_written_was_cut_by_the_restart() -> None:
    """Books that lag behind lose rows; its leg was an orphan and its caller a new one."""
    book = given(small("an"))
    seen = (caller_seen(), leg_seen("1.1.a1", "an"))
    book.when(snapshot(*seen, bridges={"1.1.br": ("1.1", "1.1.a1")}, phones=("an",))).then(never(HangUp))
    assert book.states() == {"an": "talking"}


def test_an_agent_who_still_heard_why_was_rung() -> None:
    """The dial path reports before the refusal is played to its end."""
    book = given(small("an")).available("an").when(PhoneChannel("an", "1.9", "ring"))
    book.when(OutboundAsked("1.9", "an", "0967123456")).when(OutboundEnded("1.9", "CONGESTION", 34))
    book.when(arrives()).then(never(RingAgent)).when(PhoneChannel("an", "1.9", "gone")).then(a(RingAgent))


def test_the_rest_after_a_call_was_that_of_a_hotline_that_did_not_carry_it() -> None:
    setup = small("an", hotline=Hotline(SALES, queue="sales", trunk="v1", carrier="viettel", outbound=True, wrap_up=5))
    second = Hotline("+842473001002", queue="sales", trunk="v2", carrier="viettel", outbound=True, wrap_up=50)
    setup = replace(
        setup, hotlines=(*setup.hotlines, second), trunks=(*setup.trunks, Trunk("v2", "viettel", endpoint="v2"))
    )
    book = given(setup).when(OutboundAsked("1.9", "an", "0967123456")).when(OutboundNextAsked("1.9", "CONGESTION", 34))
    assert (book.call("1.9").hotline, book.call("1.9").wrap_up_s) == ("+842473001002", 50)


def test_an_emergency_call_was_refused_by_a_full_trunk() -> None:
    setup = small("an", "binh")
    setup = replace(setup, trunks=(replace(setup.trunks[0], max_channels=1),))
    book = given(setup).when(OutboundAsked("1.8", "an", "0967123456")).when(OutboundAsked("1.9", "binh", "113"))
    assert book.one(ReplyTrunks).attempt is not None


def test_a_leg_lost_in_a_cut_was_blamed_on_its_trunk() -> None:
    setup = small("an")
    row = replace(setup.hotlines[0], hours="never", closed=Way(WayKind.PHONE, "0912345678"))
    book = given(replace(setup, hotlines=(row,), schedules=(NEVER,))).when(arrives())
    book.when(snapshot(caller_seen())).then(never(TrunkFailed))
    assert book.world.trunks["v1"].failures == 0


def test_a_caller_sent_from_a_menu_to_a_phone_nobody_answered_was_said_to_have_stopped_at_the_menu() -> None:
    setup = small("an")
    menu = Menu("main", keys=(("1", Way(WayKind.PHONE, "0912345678")),), on_timeout=Way(WayKind.PHONE, "0912345678"))
    hotline = replace(setup.hotlines[0], queue="", menu="main")
    book = given(replace(setup, hotlines=(hotline,), menus=(menu,))).when(arrives()).passes(5)
    book.when(leg_gone(1, 1, 17, 486, "p")).when(leaves()).then(a(CallEnded, result="missed"))


def test_a_caller_who_gave_up_in_the_night_queue_was_counted_as_closed() -> None:
    setup = small("an", hours="never", closed=Way(WayKind.QUEUE, "night"))
    night = Queue("night", (QueueGroup("sales"),))
    book = given(replace(setup, queues=(*setup.queues, night), schedules=(NEVER,))).available("an").when(arrives())
    book.when(leaves()).then(a(CallEnded, result="missed", queue="night"))


def test_a_line_break_behind_a_name_of_ours_was_overlooked() -> None:
    assert ids.parse("1.1.a1\n") is None
    assert ids.parse("1.1.a١") is None


def test_a_call_given_up_in_a_snapshot_was_let_in_again_by_the_same_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    book = given(small("an")).available("an").when(arrives())
    monkeypatch.setattr("controller.core.reconcile._mend_call", lambda *_: 1 / 0)
    done = step(book.world, snapshot(caller_seen(), phones=("an",)), book.now_ms)
    assert [fact.call for fact in done.facts if isinstance(fact, CallEnded | CallStarted)] == ["1.1"]
    assert not any(isinstance(row, Call) for row in book.world.entities())
