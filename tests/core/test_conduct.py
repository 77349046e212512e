"""What a step may say and ask for: each rule is shown a step that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core import conduct
from controller.core.commands import (
    Answer,
    CloseBridge,
    Command,
    HangUp,
    Join,
    Play,
    Record,
    ReplyTrunks,
    RingAgent,
    RingBell,
    RingPhone,
    StartMusic,
)
from controller.core.events import OutboundAsked
from controller.core.facts import CallEnded, CallOffered, Fact
from controller.core.model import Alert, Attempt, TrunkState
from controller.core.setup import Setup, Strategy, Trunk
from controller.core.step import Step
from tests.core.setups import SALES, small
from tests.core.words import answers, arrives, leaves, status
from tests.playbook import Playbook, given

pytestmark = pytest.mark.pure

HOSTILE = ["500&PJSIP/x/1900", "${SHELL(id)}", "a\r\nb", "a\0b", "../../etc/passwd", "x" * 400, "1,2", "é"]


def numbers(book: Playbook, *, commands: tuple[Command, ...] = (), facts: tuple[Fact, ...] = ()) -> list[str]:
    done = Step("Ticked#1", (), commands, facts)
    return [breach.partition(" ")[0] for breach in conduct.check(book.world, done)]


def ringing(**queue: object) -> Playbook:
    return given(small("an", "binh", **queue)).available("an").when(arrives())


def test_what_the_core_does_by_itself_is_in_order() -> None:
    book = ringing().when(answers())
    assert numbers(book, commands=(Join("1.1", "Ticked#1", "1.1.a1", "1.1.br"), Answer("1.1", "Ticked#1"))) == []


@pytest.mark.parametrize("cause", ["", "Ticked#2", "somebody"])
def test_a_command_has_the_cause_of_its_step(cause: str) -> None:
    assert "S16" in numbers(ringing(), commands=(Answer("1.1", cause),))


def test_after_the_end_a_call_is_only_hung_up() -> None:
    book = ringing().when(leaves())
    assert numbers(book, commands=(HangUp("1.1", "Ticked#1", "1.1"), CloseBridge("1.1", "Ticked#1", "1.1.br"))) == []
    assert numbers(book, commands=(StartMusic("1.1", "Ticked#1", "default"),)) == ["S9"]
    assert numbers(book, commands=(ReplyTrunks("1.1", "Ticked#1", None, "no_trunk", 0),)) == []
    (ended,) = [fact for fact in book.facts if isinstance(fact, CallEnded)]
    assert numbers(book, commands=(StartMusic("1.1", "Ticked#1", "default"),), facts=(ended,)) == []


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "command",
    [
        lambda text: HangUp("1.1", "Ticked#1", text),
        lambda text: RingAgent("1.1", "Ticked#1", "1.1.a1", "an", text, "", 5),
        lambda text: RingAgent("1.1", "Ticked#1", text, "an", "", "", 5),
        lambda text: StartMusic("1.1", "Ticked#1", text),
        lambda text: Play("1.1", "Ticked#1", "1.1.pb1", (text,), "vi"),
        lambda text: Play("1.1", "Ticked#1", "1.1.pb1", ("welcome",), text),
        lambda text: Record("1.1", "Ticked#1", "1.1.br", text),
        lambda text: ReplyTrunks("1.1", "Ticked#1", Attempt("v1", text, "0967", SALES, SALES, ""), "", 5),
        lambda text: ReplyTrunks("1.1", "Ticked#1", Attempt("v1", "v1", text, SALES, SALES, ""), "", 5),
        lambda text: ReplyTrunks("1.1", "Ticked#1", None, text, 5),
    ],
)
def test_no_hostile_text_leaves_in_a_command(command: object, text: str) -> None:
    assert "S13" in numbers(ringing(), commands=(command(text),))  # type: ignore[operator]


@pytest.mark.parametrize("name", ["a\nb", "x" * 65, "a\u202eb"])
def test_a_caller_s_name_is_short_and_printable(name: str) -> None:
    assert "S13" in numbers(ringing(), commands=(RingAgent("1.1", "Ticked#1", "1.1.a1", "an", "", name, 5),))
    assert "S13" not in numbers(ringing(), commands=(RingAgent("1.1", "Ticked#1", "1.1.a1", "an", "", "Tâm <3", 5),))


def test_a_cause_of_q850_is_one() -> None:
    assert numbers(ringing(), commands=(HangUp("1.1", "Ticked#1", "1.1", 200),)) == ["S13"]


def test_what_a_command_names_exists() -> None:
    book = ringing()
    assert numbers(book, commands=(RingAgent("1.1", "Ticked#1", "1.1.a1", "ghost", "", "", 5),)) == ["S12"]
    assert numbers(book, commands=(Join("1.1", "Ticked#1", "1.1.a9", "1.1.br"),)) == ["S3"]
    other = Alert("7.7.x", "x", "7.7", "", "", "", 1, 2)
    assert numbers(book, commands=(RingBell("1.1", "Ticked#1", other, "raised"),)) == ["S16"]


def capped() -> Setup:
    return replace(small("an"), trunks=(Trunk("v1", "viettel", endpoint="v1", max_channels=1),))


def test_who_leaves_by_a_trunk_is_counted_and_within_its_cap() -> None:
    book = given(capped()).when(OutboundAsked("1.9", "an", "0967123456"))
    reply = replace(book.one(ReplyTrunks), cause="Ticked#1")
    assert numbers(book, commands=(reply,)) == []
    book.world.put(TrunkState("v1", ("1.9", "1.8")))
    assert numbers(book, commands=(reply,)) == ["S8"]
    emergency = replace(reply, attempt=replace(reply.attempt, number="113"))
    assert numbers(book, commands=(emergency,)) == []
    book.world.put(TrunkState("v1"))
    assert numbers(book, commands=(reply,)) == ["S8"]
    assert numbers(book, commands=(RingPhone("7.7", "Ticked#1", "7.7.p1", "v1", "0967", SALES, 5),)) == ["S9", "S8"]


def offer(agent: str = "an", queue: str = "sales", call: str = "1.1") -> CallOffered:
    return CallOffered(call, queue, agent, f"{call}.a1", "why")


@pytest.mark.parametrize(
    "change",
    [
        {"status": "not_ready"},
        {"reachable": False},
        {"foreign": ("9.9",)},
        {"wrap_up_until_ms": 2**50},
        {"unreachable_until_ms": 2**50},
    ],
)
def test_nobody_is_offered_who_may_not_be(change: dict[str, object]) -> None:
    book = ringing()
    assert numbers(book, facts=(offer(),)) == []
    book.world.put(replace(book.agent("an"), **change))
    assert numbers(book, facts=(offer(),)) == ["S4"]


def test_only_ring_all_rings_two() -> None:
    book = ringing()
    (first,) = book.call("1.1").offers
    book.world.put(replace(book.call("1.1"), offers=(first, replace(first, agent="binh", leg="1.1.a2"))))
    assert numbers(book, facts=(offer(),)) == ["S2"]
    book.world.install(small("an", "binh", strategy=Strategy.RING_ALL))
    assert numbers(book, facts=(offer(),)) == []


def test_nobody_is_offered_before_somebody_who_has_waited_longer() -> None:
    book = given(small("an", "binh")).when(status("an", "not_ready")).when(arrives(1)).when(arrives(2)).available("an")
    assert numbers(book, facts=(offer(call="1.1"),)) == []
    book.world.put(replace(book.call("1.2"), offers=book.call("1.1").offers))
    book.world.put(replace(book.call("1.1"), offers=()))
    assert numbers(book, facts=(offer(call="1.2"),)) == ["S5"]
    book.world.put(replace(book.call("1.1"), tried=("an",)))
    assert numbers(book, facts=(offer(call="1.2"),)) == []


@pytest.mark.parametrize("fact", [offer("ghost"), offer(queue="ghost"), offer(call="7.7")])
def test_who_is_offered_exists(fact: CallOffered) -> None:
    assert numbers(ringing(), facts=(fact,)) == ["S12"]


def test_a_record_is_whole_and_in_order() -> None:
    book = ringing().when(leaves())
    ended = book.one(CallEnded)
    assert numbers(book, facts=(ended,)) == []
    assert numbers(book, facts=(replace(ended, ended_at_ms=1),)) == ["S11"]
    assert numbers(book, facts=(replace(ended, result=""),)) == ["S10"]
    assert numbers(ringing(), facts=(ended,)) == ["S9"]
