"""Ways onward and out: announcements, voicemail, phone numbers by the hotline's trunks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core import ways
from controller.core.commands import (
    Answer,
    CloseBridge,
    HangUp,
    Join,
    Play,
    Record,
    RecordMessage,
    RingPhone,
    StartMusic,
    StopMusic,
    StopPlay,
)
from controller.core.events import CommandFailed, DigitPressed, HangupAsked, MessageRecorded
from controller.core.facts import (
    CallAnswered,
    CallEnded,
    CallRouted,
    OddEvent,
    OutboundBlocked,
    OutboundPicked,
    TrunkFailed,
)
from controller.core.model import Phase
from controller.core.setup import Blocked, Hotline, Menu, Setup, Trunk, Way, WayKind
from controller.core.turn import Turn
from controller.core.ways import MESSAGE_MAX_S, PHONE_RING_S, VOICEMAIL_PROMPT, describe
from tests.core.setups import BANNED, NEVER, SALES, small
from tests.core.words import answers, arrives, leaves, leg_gone, played, status
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

PHONE = Way(WayKind.PHONE, "0912345678")


def closed(way: Way, **hotline: object) -> Setup:
    """A hotline that is always closed and goes this way; two trunks of its carrier."""
    setup = small("an")
    row = replace(setup.hotlines[0], hours="never", closed=way, **hotline)
    trunks = (Trunk("v1", "viettel", endpoint="v1", max_channels=1), Trunk("v2", "viettel", endpoint="v2"))
    return replace(setup, hotlines=(row,), schedules=(NEVER,), trunks=trunks)


def goes(way: Way, **hotline: object) -> Playbook:
    return given(closed(way, **hotline)).available("an").when(arrives())


@pytest.mark.parametrize(
    ("way", "said"), [(Way(), "hangup"), (PHONE, "phone 0912345678"), (Way(WayKind.QUEUE, "sales"), "queue sales")]
)
def test_ways_are_described_as_people_write_them(way: Way, said: str) -> None:
    assert describe(way) == said


# -- closed and blocked -----------------------------------------------------------------------------------------------


def test_closed_hours_hang_up_unless_told_otherwise() -> None:
    book = goes(Way()).only(a(HangUp)).then(a(CallRouted, why="closed"))
    book.when(leaves()).then(a(CallEnded, result="closed", end_cause="closed", reason="closed"))


def test_closed_hours_with_an_announcement() -> None:
    book = goes(Way(play="closed")).only(a(Answer), a(Play, media=("closed",)))
    book.when(played()).only(a(HangUp))


def test_a_caller_kept_out_of_the_hotline_is_rejected_unanswered() -> None:
    setup = replace(small("an"), blocked=(Blocked("+84900000001", ("ivr",)),))
    book = given(setup).available("an").when(arrives(caller=BANNED)).only(a(HangUp, q850=21))
    book.when(leaves()).then(a(CallEnded, result="blocked", reason="blocked", answered_at_ms=None))
    given(setup).available("an").when(arrives(caller="0900000009")).then(a(Answer))


def test_a_number_that_is_no_hotline_of_ours() -> None:
    book = given(small("an")).when(arrives(hotline="+8400")).only(a(HangUp, q850=1))
    book.when(leaves()).then(a(CallEnded, result="failed", reason="no_such_hotline"))


def test_hanging_up_twice_is_hanging_up_once() -> None:
    book = goes(Way()).when(HangupAsked("1.1", "boss")).only()
    book.when(leaves()).then(a(CallEnded, end_cause="closed"))


# -- voicemail --------------------------------------------------------------------------------------------------------


def test_a_message_is_recorded_after_the_prompt_and_ends_the_call() -> None:
    book = goes(Way(WayKind.VOICEMAIL)).only(a(Answer), a(Play, media=(VOICEMAIL_PROMPT,)))
    book.when(played()).only(a(RecordMessage, name="voicemail/1.1", max_s=MESSAGE_MAX_S))
    book.when(MessageRecorded("1.1", "voicemail/1.1", 8)).only(a(HangUp))
    book.when(leaves()).then(a(CallEnded, result="voicemail", recording="voicemail/1.1", end_cause="voicemail"))


def test_a_message_left_by_hanging_up_is_kept() -> None:
    book = goes(Way(WayKind.VOICEMAIL)).when(played()).when(leaves())
    book.then(a(CallEnded, result="voicemail", recording="voicemail/1.1", end_cause="caller"))


def test_a_message_that_failed_is_none() -> None:
    book = goes(Way(WayKind.VOICEMAIL)).when(played()).when(MessageRecorded("1.1", "voicemail/1.1", ok=False))
    book.when(leaves()).then(a(CallEnded, result="voicemail", recording=""))


def test_a_message_of_another_name_says_nothing() -> None:
    book = goes(Way(WayKind.VOICEMAIL)).when(MessageRecorded("1.1", "voicemail/1.1", 3)).only()
    book.when(played()).when(MessageRecorded("1.1", "voicemail/1.7", 3)).only()


def test_a_message_whose_end_is_never_told_ends() -> None:
    goes(Way(WayKind.VOICEMAIL)).when(played()).passes(MESSAGE_MAX_S + 10).only(a(HangUp))


def test_voicemail_that_cannot_record_lets_the_caller_go() -> None:
    book = goes(Way(WayKind.VOICEMAIL)).when(played())
    book.when(CommandFailed("1.1", "RecordMessage", "voicemail/1.1", "no folder")).only(a(HangUp, q850=38))


def test_the_queue_s_music_falls_silent_before_a_message() -> None:
    setup = small("an", on_max_wait=Way(WayKind.VOICEMAIL), max_wait=10)
    book = given(setup).when(status("an", "not_ready")).when(arrives()).passes(10)
    book.only(a(StopMusic), a(Play, media=(VOICEMAIL_PROMPT,)))
    book.when(leaves()).then(a(CallEnded, result="voicemail"))


# -- on to a phone ----------------------------------------------------------------------------------------------------


def test_a_forward_rings_with_music_and_joins_on_answer() -> None:
    book = goes(PHONE).only(
        a(Answer),
        a(StartMusic),
        a(RingPhone, leg="1.1.p1", endpoint="v1", number="0912345678", caller_id=SALES, timeout_s=PHONE_RING_S + 5),
    )
    book.then(a(OutboundPicked, agent="", to="+84912345678"))
    book.when(answers(1, 1, "p")).only(a(Join, leg="1.1.p1", bridge="1.1.br")).then(a(CallAnswered, agent=""))
    book.then(never(Record))
    book.when(leg_gone(1, 1, kind="p")).only(a(HangUp, channel="1.1"), a(CloseBridge))
    book.when(leaves())
    book.then(a(CallEnded, result="answered", end_cause="callee", callee="+84912345678", trunk="v1", caller_id=SALES))
    assert book.world.trunks["v1"].live == ()


def test_a_caller_who_leaves_ends_the_forward() -> None:
    book = goes(PHONE).when(leaves()).only(a(HangUp, channel="1.1.p1"))
    book.then(a(CallEnded, result="closed", end_cause="caller"))
    assert book.world.trunks["v1"].live == ()
    book.when(leg_gone(1, 1, kind="p")).only()


@pytest.mark.parametrize(("cause", "tech"), [(34, 503), (27, None), (38, None), (42, None), (0, 500)])
def test_the_next_trunk_is_tried_when_the_trunk_failed(cause: int, tech: int | None) -> None:
    book = goes(PHONE).when(leg_gone(1, 1, cause, tech, "p"))
    book.only(a(RingPhone, leg="1.1.p2", endpoint="v2")).then(a(TrunkFailed, trunk="v1"))
    book.when(leg_gone(1, 2, cause, tech, "p")).only(a(HangUp, channel="1.1", q850=34))
    book.when(leaves()).then(a(CallEnded, end_cause="no_trunk"))


@pytest.mark.parametrize(("cause", "tech"), [(17, 486), (21, 603), (19, None), (16, None), (1, 404)])
def test_the_next_trunk_is_not_tried_when_the_callee_would_not(cause: int, tech: int | None) -> None:
    book = goes(PHONE).when(leg_gone(1, 1, cause, tech, "p")).only(a(HangUp, channel="1.1")).then(never(TrunkFailed))
    book.when(leaves()).then(a(CallEnded, end_cause="callee"))


def test_a_phone_that_is_not_answered_is_given_up() -> None:
    book = goes(PHONE).passes(PHONE_RING_S).only(a(HangUp, channel="1.1.p1"), a(HangUp, channel="1.1"))
    book.when(leaves()).then(a(CallEnded, end_cause="no_answer"))


def test_a_ring_command_that_failed_is_a_trunk_that_failed() -> None:
    book = goes(PHONE).when(CommandFailed("1.1", "RingPhone", "1.1.p1", "refused"))
    book.only(a(HangUp, channel="1.1.p1"), a(RingPhone, leg="1.1.p2", endpoint="v2"))


def test_a_late_answer_of_a_given_up_leg_is_hung_up() -> None:
    book = goes(PHONE).when(leg_gone(1, 1, 34, 503, "p")).when(answers(1, 1, "p")).only(a(HangUp, channel="1.1.p1"))
    book.when(answers(1, 2, "p")).only(a(Join, leg="1.1.p2"))
    book.when(answers(1, 9, "p")).only(a(HangUp, channel="1.1.p9"))


def test_the_channels_of_a_trunk_are_counted_for_forwards() -> None:
    book = goes(PHONE).when(arrives(2)).then(a(RingPhone, call="1.2", endpoint="v2"))
    assert (book.world.trunks["v1"].live, book.world.trunks["v2"].live) == (("1.1",), ("1.2",))


def test_a_forward_obeys_the_rules_of_calling_out() -> None:
    book = goes(PHONE, kind="virtual").only(a(HangUp)).then(a(OutboundBlocked, reason="virtual"))
    book.when(leaves()).then(a(CallEnded, end_cause="virtual", result="closed"))
    assert goes(PHONE, outbound=False).one(OutboundBlocked).reason == "not_permitted"


def test_the_hotline_named_by_the_way_carries_it() -> None:
    other = Hotline("+842473001009", queue="sales", trunk="v2", carrier="viettel", outbound=True)
    setup = closed(replace(PHONE, hotline="+842473001009"))
    book = given(replace(setup, hotlines=(*setup.hotlines, other))).when(arrives())
    book.then(a(RingPhone, endpoint="v2", caller_id="+842473001009"))


def test_from_a_queue_the_music_goes_on_until_somebody_answers() -> None:
    setup = small("an", on_max_wait=PHONE, max_wait=10)
    book = given(setup).when(status("an", "not_ready")).when(arrives()).passes(10).only(a(RingPhone))
    assert book.call("1.1").phase is Phase.FORWARDING
    book.when(answers(1, 1, "p")).then(a(CallAnswered, waited_ms=10_010))
    assert book.world.queue_days["sales"].answered == 0


def test_what_a_leg_says_to_an_announcing_call_is_answered_with_a_hang_up() -> None:
    book = goes(Way(play="closed")).when(answers(1, 3)).only(a(HangUp, channel="1.1.a3"))
    book.when(CommandFailed("1.1", "StopMusic", "1.1", "no")).then(a(OddEvent))


@pytest.mark.parametrize(
    ("way", "phase"),
    [
        (Way(WayKind.QUEUE, "sales"), Phase.WAITING),
        (Way(WayKind.MENU, "main"), Phase.MENU),
        (Way(WayKind.VOICEMAIL), Phase.VOICEMAIL),
        (Way(WayKind.REPEAT), Phase.ENDING),
        (PHONE, Phase.FORWARDING),
    ],
)
def test_every_way_leads_somewhere(way: Way, phase: Phase) -> None:
    setup = replace(closed(way), menus=(Menu("main", "welcome"),))
    book = given(setup).available("an").when(arrives())
    assert book.call("1.1").phase is phase
    book = given(replace(setup, hotlines=(replace(setup.hotlines[0], closed=replace(way, play="closed")),)))
    assert book.available("an").when(arrives()).when(played()).call("1.1").phase is phase


def test_a_prompt_is_stopped_once() -> None:
    setup = small("an")
    menu = Menu("main", "welcome", keys=(("1", Way()),))
    book = given(replace(setup, menus=(menu,), hotlines=(Hotline(SALES, menu="main"),))).when(arrives())
    book.when(DigitPressed("1.1", "1")).only(a(StopPlay, playback="1.1.pb1"), a(HangUp))
    turn = Turn(book.world, book.now_ms, "test#1")
    assert ways.stop_prompt(turn, book.call("1.1")) is book.call("1.1")
    assert turn.commands == []
