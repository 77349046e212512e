"""The dialogues of the dial path over a real socket: what the engine is told, and what the channel is given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from controller.agi.scripts import Dialogues
from controller.agi.server import DIALOGUE_S, Limits, Server
from controller.agi.words import endpoint_of, number_of, status_of
from controller.core.answer import Answer
from controller.core.commands import ReplyTrunks
from controller.core.events import (
    AgentStatusAsked,
    Event,
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    WrapUpEndAsked,
    WrapUpExtendAsked,
)
from controller.core.model import Attempt
from controller.core.setup import AgentSetup, Setup
from tests.wire.agi_peer import CALL, Asterisk, Door, header

pytestmark = pytest.mark.wire

SETUP = Setup(agents=(AgentSetup("an", endpoint="an"), AgentSetup("binh", endpoint="sip-binh.1")))
ATTEMPT = Attempt("viettel-1", "viettel-1", "0967123456", "+842473001001", "+842473001001", "on-net")
PATIENT = Limits(header_s=30.0, dialogue_s=30.0)
GRANTED = {
    "TD_TRUNK": "viettel-1",
    "TD_NUMBER": "0967123456",
    "TD_CALLERID": "+842473001001",
    "TD_TIMEOUT": "60",
    "TD_OK": "1",
}


class Side:
    """The side door with a door behind it instead of an engine."""

    def __init__(self) -> None:
        self.door = Door()
        self.dialogues = Dialogues(self.door, lambda: SETUP)
        self.outcomes: list[str] = []
        self.server = Server(
            self.dialogues.scripts, limits=PATIENT, meter=lambda _path, end, _s: self.outcomes.append(end)
        )

    def hurry(self) -> None:
        """Be as strict as in production: what a machine that stands still may not make of every test."""
        self.server.limits = Limits()

    def wait(self) -> None:
        """Be patient again."""
        self.server.limits = PATIENT

    def decide(self, attempt: Attempt | None = ATTEMPT, refusal: str = "", dial_s: int = 60, call: str = CALL) -> None:
        """Answer every question as soon as it is asked."""
        self.door.on_tell = lambda _event: self.dialogues.reply(ReplyTrunks(call, "e1", attempt, refusal, dial_s))

    async def ask(self, data: bytes) -> Asterisk:
        """Hold one session to its end."""
        peer = await Asterisk.connect(self.server.port)
        peer.send(data)
        await peer.serve()
        await peer.close()
        return peer


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    door = Side()
    await door.server.start("127.0.0.1", 0)
    yield door
    await door.server.close()


# -- outbound --------------------------------------------------------------------------------------------------------


async def test_a_permitted_call_is_given_its_trunk_and_the_word_last(side: Side) -> None:
    side.decide()
    peer = await side.ask(header("outbound", "0967123456"))
    assert peer.variables == GRANTED
    assert list(peer.variables)[-1] == "TD_OK"
    assert len(peer.commands) == 2, "a round trip to believe the header, and one for all that is said"
    assert side.door.told == [OutboundAsked(CALL, "an", "0967123456")]
    assert side.outcomes == ["done"]


async def test_a_refused_call_is_given_the_reason_and_nothing_else(side: Side) -> None:
    side.decide(None, "blocked", 0)
    assert (await side.ask(header("outbound", "0900000001"))).variables == {"TD_REFUSAL": "blocked"}


async def test_a_reason_of_another_alphabet_is_not_passed_on(side: Side) -> None:
    side.decide(None, "no/../way", 0)
    assert (await side.ask(header("outbound", "0900000001"))).variables == {"TD_REFUSAL": "not_permitted"}


async def test_a_decision_that_cannot_be_said_safely_is_no_permission(side: Side) -> None:
    for endpoint in ("t\nEXEC Dial x", "t,1", 't"', "t)"):
        side.decide(Attempt("t", endpoint, "1", "2", "2", ""))
        assert (await side.ask(header("outbound", "0967123456"))).variables == {}
    assert side.outcomes == ["refused"] * 4


async def test_no_decision_in_time_sets_nothing(side: Side) -> None:
    side.hurry()
    began = asyncio.get_running_loop().time()
    peer = await side.ask(header("outbound", "0967123456"))
    assert asyncio.get_running_loop().time() - began < DIALOGUE_S + 15
    assert peer.variables == {}
    assert side.outcomes == ["late"]


async def test_a_talk_that_has_an_end_is_limited_and_warned_of_it(side: Side) -> None:
    asking = asyncio.create_task(side.ask(header("outbound", "0967123456")))
    reply = ReplyTrunks(CALL, "e1", ATTEMPT, "", 60, talk_max_s=300, talk_warning_s=60)
    side.door.on_tell = lambda _event: side.dialogues.reply(reply)
    assert (await asking).variables == GRANTED | {"TD_TALK_MAX": "300", "TD_TALK_WARNING": "60"}


async def test_a_decision_that_comes_too_late_is_dropped(side: Side) -> None:
    side.hurry()
    await side.ask(header("outbound", "0967123456"))
    side.wait()
    side.dialogues.reply(ReplyTrunks(CALL, "e1", ATTEMPT, "", 60))
    side.decide()
    assert (await side.ask(header("outbound", "0967123456"))).variables == GRANTED


async def test_a_decision_for_another_call_is_not_taken(side: Side) -> None:
    side.hurry()
    side.decide(call="1795368447.999")
    assert (await side.ask(header("outbound", "0967123456"))).variables == {}


async def test_one_call_asks_once_at_a_time(side: Side) -> None:
    first = asyncio.create_task(side.ask(header("outbound", "0967123456")))
    async with asyncio.timeout(20):
        while not side.door.told:  # noqa: ASYNC110 - nobody signals that a question was passed on
            await asyncio.sleep(0.005)
    second = await side.ask(header("outbound", "0967123456"))
    side.dialogues.reply(ReplyTrunks(CALL, "e1", ATTEMPT, "", 60))
    assert second.variables == {}
    assert (await first).variables == GRANTED
    assert side.outcomes == ["refused", "done"]


async def test_a_caller_who_is_gone_is_not_asked_about(side: Side) -> None:
    side.decide()
    peer = await Asterisk.connect(side.server.port)
    peer.send(header("outbound", "0967123456") + b"HANGUP\n")
    assert await peer.serve() == {}
    await peer.close()
    assert side.door.told == []
    assert side.outcomes == ["hangup"]


@pytest.mark.parametrize(
    ("dialled", "event"),
    [
        ("0967123456", "0967123456"),
        ("+84967123456", "+84967123456"),
        ("*98", "*98"),
        ("500&PJSIP/x/1900", ""),
        ("", ""),
        ("9" * 60, ""),
        ("${SHELL(id)}", ""),
    ],
)
async def test_what_was_dialled_is_a_number_or_nothing(side: Side, dialled: str, event: str) -> None:
    side.decide(None, "not_understood")
    await side.ask(header("outbound", dialled))
    assert side.door.told == [OutboundAsked(CALL, "an", event)]


async def test_a_number_that_had_other_characters_is_told_as_odd(side: Side) -> None:
    side.decide(None, "not_understood")
    await side.ask(header("outbound", "0967123456", "", "odd"))
    await side.ask(header("outbound", "0967123456", "", "else"))
    assert side.door.told == [OutboundAsked(CALL, "an", "0967123456", odd=odd) for odd in (True, False)]


@pytest.mark.parametrize(
    ("channel", "endpoint"),
    [
        ("PJSIP/an-0000000a", "an"),
        ("PJSIP/sip-binh.1-00ffab12", "sip-binh.1"),
        ("PJSIP/a-b-00000001-00000002", "a-b-00000001"),
        ("PJSIP/an-0000000A", ""),
        ("PJSIP/an", ""),
        ("PJSIP/an&x-00000001", ""),
        ("Local/an@x-00000001;1", ""),
        ("SIP/an-00000001", ""),
        ("", ""),
    ],
)
def test_the_endpoint_is_read_from_the_channel(channel: str, endpoint: str) -> None:
    assert endpoint_of(channel) == endpoint


async def test_the_hotline_asked_for_is_passed_on(side: Side) -> None:
    side.decide(None, "virtual")
    await side.ask(header("outbound", "0967123456", "+842473001002"))
    await side.ask(header("outbound", "0967123456", "auto"))
    assert [event.via for event in side.door.told if isinstance(event, OutboundAsked)] == ["+842473001002", "auto"]


async def test_look_ups_are_passed_on(side: Side) -> None:
    asked: list[str] = []

    async def lookup(number: str) -> tuple[str, str]:
        asked.append(number)
        return "mobifone", "ported"

    side.dialogues.lookup = lookup
    side.decide()
    await side.ask(header("outbound", "0967123456"))
    assert asked == ["0967123456"]
    assert side.door.told == [OutboundAsked(CALL, "an", "0967123456", ported="mobifone", ported_source="ported")]


async def test_a_look_up_that_is_slow_or_fails_does_not_know(side: Side) -> None:
    async def slow(_number: str) -> tuple[str, str]:
        await asyncio.sleep(20)
        return "mobifone", "lookup"

    async def failing(_number: str) -> tuple[str, str]:
        raise ConnectionError("the table is away")

    side.decide()
    for lookup in (slow, failing):
        side.dialogues.lookup = lookup
        assert (await side.ask(header("outbound", "0967123456"))).variables == GRANTED
    assert side.door.told == [OutboundAsked(CALL, "an", "0967123456")] * 2


@pytest.mark.parametrize("call", ["x", "1795368447.134\t", "1795368447.134.a1", "../1.1", "a" * 65 + ".1"])
async def test_an_id_no_channel_can_have_is_refused(side: Side, call: str) -> None:
    side.decide()
    assert (await side.ask(header("outbound", "0967123456", call=call))).variables == {}
    assert side.door.told == []


# -- next, ended -----------------------------------------------------------------------------------------------------


async def test_the_next_trunk_is_asked_for_with_status_and_cause(side: Side) -> None:
    side.decide()
    assert (await side.ask(header("next", "CONGESTION", "34"))).variables == GRANTED
    assert side.door.told == [OutboundNextAsked(CALL, "CONGESTION", 34)]


async def test_the_end_is_told_and_the_channel_let_go(side: Side) -> None:
    peer = await side.ask(header("ended", "ANSWER", "16", "73"))
    assert peer.commands == ["NOOP"]
    assert side.door.told == [OutboundEnded(CALL, "ANSWER", 16, 73)]
    assert side.outcomes == ["done"]


@pytest.mark.parametrize(("said", "by_callee"), [("callee", True), ("", False), ("somebody", False)])
async def test_who_ended_the_talk_is_told_by_the_dialplan(side: Side, said: str, by_callee: bool) -> None:
    await side.ask(header("ended", "ANSWER", "16", "73", said))
    assert side.door.told == [OutboundEnded(CALL, "ANSWER", 16, 73, by_callee)]


async def test_the_end_is_told_on_a_dead_channel_too(side: Side) -> None:
    peer = await Asterisk.connect(side.server.port)
    peer.send(header("ended", "CANCEL", "0", "") + b"HANGUP\n")
    await peer.serve()
    await peer.close()
    assert side.door.told == [OutboundEnded(CALL, "CANCEL", 0, 0)]


@pytest.mark.parametrize(
    ("text", "status"), [("ANSWER", "ANSWER"), ("", ""), ("answer", ""), ("A B", ""), ("A" * 17, "")]
)
def test_a_status_is_a_word_of_capitals(text: str, status: str) -> None:
    assert status_of(text) == status


@pytest.mark.parametrize(
    ("text", "number"), [("34", 34), ("", 0), ("-1", 0), ("128", 127), ("9" * 40, 0), ("٣", 0), ("1e3", 0), (" 1", 0)]
)
def test_a_count_is_made_of_digits(text: str, number: int) -> None:
    assert number_of(text, 127) == number


# -- feature codes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "event", "sound"),
    [
        ("*40", AgentStatusAsked("an", "available", by="phone"), "available"),
        ("*41", AgentStatusAsked("an", "not_ready", by="phone"), "not_ready"),
        ("*42", WrapUpEndAsked("an", by="phone"), "wrap_up_ended"),
        ("*43", WrapUpExtendAsked("an", 30, by="phone"), "wrap_up_extended"),
    ],
)
async def test_a_feature_code_is_done_and_said(side: Side, code: str, event: Event, sound: str) -> None:
    assert (await side.ask(header("feature", code))).variables == {"TD_SOUND": sound, "TD_OK": "1"}
    assert side.door.told == [event]


@pytest.mark.parametrize(
    ("answer", "sound"), [("conflict", "not_now"), ("not_found", "not_agent"), ("invalid", "not_possible")]
)
async def test_a_feature_code_that_was_not_done_is_said_too(side: Side, answer: str, sound: str) -> None:
    side.door.answer = Answer(answer, "why")
    assert (await side.ask(header("feature", "*42"))).variables == {"TD_SOUND": sound, "TD_OK": "1"}


async def test_a_phone_that_is_nobodys_is_told_so(side: Side) -> None:
    peer = await side.ask(header("feature", "*40", channel="PJSIP/viettel-1-00000001"))
    assert peer.variables == {"TD_SOUND": "not_agent", "TD_OK": "1"}
    assert side.door.told == []


async def test_an_engine_that_is_slow_leaves_the_code_undone_for_the_ear(side: Side) -> None:
    side.hurry()
    side.door.slow_s = 20.0
    assert (await side.ask(header("feature", "*40"))).variables == {}
    assert side.outcomes == ["late"]


async def test_an_unknown_code_is_garbage(side: Side) -> None:
    assert (await side.ask(header("feature", "*44"))).variables == {}
    assert side.outcomes == ["garbage"]


async def test_the_extension_may_be_longer_when_the_dialplan_says_so(side: Side) -> None:
    await side.ask(header("feature", "*43", "120"))
    assert side.door.told == [WrapUpExtendAsked("an", 120, by="phone")]
