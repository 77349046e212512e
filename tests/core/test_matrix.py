"""Every cell of both machines, visited and named: no exception, and all that must hold holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest

from controller.core import agent as agents
from controller.core import call as calls
from controller.core import events
from controller.core.events import (
    CalleeAnswered,
    CallGone,
    ClickToCallAsked,
    CommandFailed,
    DigitPressed,
    Event,
    HangupAsked,
    HoldChanged,
    LegAnswered,
    LegGone,
    LegRinging,
    MessageRecorded,
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    PhoneChannel,
    PlaybackEnded,
)
from controller.core.model import AgentPhase, Phase
from controller.core.setup import Menu, Setup, Way, WayKind
from controller.core.turn import Turn
from tests.core.setups import NEVER, small
from tests.core.words import answers, arrives, played, rings
from tests.playbook import Playbook, given

pytestmark = pytest.mark.pure

ABOUT_NO_CALL = {
    events.CallArrived: "begins a call",
    events.PhoneChanged: "about a phone",
    events.PhoneChannel: "about a phone",
    events.AgentStatusAsked: "about an agent",
    events.WrapUpEndAsked: "about an agent",
    events.WrapUpExtendAsked: "about an agent",
    events.TransferAsked: "answered like a question",
    events.ConsultAsked: "answered like a question",
    events.ClickToCallAsked: "begins a call",
    events.OutboundAsked: "begins a call",
    events.DialplanCalled: "about a call that is over",
    events.SetupChanged: "about everything",
    events.TrunkSeen: "about a trunk",
    events.LinkLost: "about the link",
    events.SnapshotTaken: "about everything",
    events.ClockMoved: "about time",
    events.Ticked: "about time",
}


def closed(way: Way) -> Setup:
    setup = small("an", "binh")
    return replace(setup, hotlines=(replace(setup.hotlines[0], hours="never", closed=way),), schedules=(NEVER,))


def menu() -> Setup:
    setup = small("an", "binh")
    row = replace(setup.hotlines[0], queue="", menu="main")
    return replace(setup, hotlines=(row,), menus=(Menu("main", "welcome", keys=(("1", Way()),)),))


BEGINNINGS: dict[Phase, Callable[[], Playbook]] = {
    Phase.MENU: lambda: given(menu()).available("an").when(arrives()),
    Phase.WAITING: lambda: given(small("an", "binh")).available("an", "binh").when(arrives()).when(rings()),
    Phase.TALKING: lambda: given(small("an", "binh")).available("an").when(arrives()).when(answers()),
    Phase.ANNOUNCING: lambda: given(closed(Way(play="closed"))).when(arrives()),
    Phase.FORWARDING: lambda: given(closed(Way(WayKind.PHONE, "0912345678"))).when(arrives()),
    Phase.VOICEMAIL: lambda: given(closed(Way(WayKind.VOICEMAIL))).when(arrives()).when(played()),
    Phase.CALLING: lambda: given(small("an", "binh")).when(ClickToCallAsked("1.1", "an", "0967123456")),
    Phase.DIALING: lambda: given(small("an", "binh")).when(OutboundAsked("1.1", "an", "0967123456")),
    Phase.CONNECTED: lambda: in_phase(Phase.DIALING).when(PhoneChannel("an", "1.1", "up")),
    Phase.ENDING: lambda: in_phase(Phase.TALKING).when(HangupAsked("1.1")),
}


def in_phase(phase: Phase) -> Playbook:
    """A call `1.1` in each phase, with a leg of its own where that phase has one."""
    book = BEGINNINGS[phase]()
    assert book.call("1.1").phase is phase
    return book


def examples(kind: type, book: Playbook) -> list[Event]:
    """Messages of a kind about call `1.1`: fitting ones and strange ones."""
    call = book.call("1.1")
    legs = [*(offer.leg for offer in call.offers), "1.1.a1", "1.1.p1", "1.1.a77"]
    made: dict[type, list[Event]] = {
        CallGone: [CallGone("1.1", 16, None)],
        DigitPressed: [DigitPressed("1.1", digit) for digit in ("1", "7", "#", "")],
        PlaybackEnded: [
            PlaybackEnded("1.1", name, ok) for name in (call.prompt, "1.1.pb1", "") for ok in (True, False)
        ],
        MessageRecorded: [
            MessageRecorded("1.1", name, 3, ok) for name in (call.recording, "x") for ok in (True, False)
        ],
        LegRinging: [LegRinging("1.1", leg) for leg in legs],
        LegAnswered: [LegAnswered("1.1", leg) for leg in legs],
        LegGone: [
            LegGone("1.1", leg, cause, tech) for leg in legs for cause, tech in ((16, None), (34, 503), (17, 486))
        ],
        HoldChanged: [HoldChanged("1.1", name, held) for name in ("1.1", *legs) for held in (True, False)],
        HangupAsked: [HangupAsked("1.1", "boss")],
        CommandFailed: [
            *(
                CommandFailed("1.1", name, leg, "no")
                for name in ("RingAgent", "RingPhone", "RingDialler", "Join", "HangUp")
                for leg in legs
            ),
            *(CommandFailed("1.1", "Play", name, "no") for name in (call.prompt or "1.1.pb8", "1.1.pb9")),
            *(CommandFailed("1.1", name, "calls/1.1", "no") for name in ("Record", "RecordOutbound", "RecordMessage")),
            *(CommandFailed("1.1", name, "1.1", "no") for name in ("Answer", "StartMusic", "StopMusic", "HangUp")),
        ],
        CalleeAnswered: [CalleeAnswered("1.1")],
        OutboundNextAsked: [OutboundNextAsked("1.1", word, 34) for word in ("CONGESTION", "BUSY", "")],
        OutboundEnded: [
            OutboundEnded("1.1", word, 16, s) for word in ("ANSWER", "BUSY", "CHANUNAVAIL", "?") for s in (0, -1)
        ],
    }
    return made[kind]


def test_every_event_has_a_row_or_is_about_no_call() -> None:
    assert set(calls.MOVES) | set(ABOUT_NO_CALL) == set(get_args(Event))
    assert not set(calls.MOVES) & set(ABOUT_NO_CALL)


def test_every_row_has_a_cell_for_every_phase() -> None:
    for kind, row in calls.MOVES.items():
        assert set(row) == set(Phase), kind.__name__
        for phase, handler in row.items():
            assert handler.__doc__, f"{kind.__name__} while {phase}: {handler.__name__} does not say what it does"


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("kind", calls.MOVES, ids=lambda kind: kind.__name__)
def test_a_cell_of_the_call_machine(kind: type, phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    visited: list[Phase] = []
    handler = calls.MOVES[kind][phase]

    def seen(turn: Turn, call: object, event: object) -> None:
        visited.append(phase)
        handler(turn, call, event)  # type: ignore[arg-type]

    monkeypatch.setitem(calls.MOVES[kind], phase, seen)
    for event in examples(kind, in_phase(phase)):
        book = in_phase(phase).when(event)
        assert visited.pop() is phase
        book.passes(300)


@pytest.mark.parametrize("phase", Phase)
def test_no_phase_lasts_for_ever_without_its_caller(phase: Phase) -> None:
    """Every inbound call but one that is talking ends by itself; one that talks ends with its caller."""
    book = in_phase(phase).passes(600)
    if phase in {Phase.TALKING, Phase.DIALING, Phase.CONNECTED}:
        assert book.call("1.1").phase is phase
        book.when(CallGone("1.1"))
    assert not book.world.calls


# -- the agent machine ------------------------------------------------------------------------------------------------

VERBS = ("offered", "answered", "released", "gone", "dialed", "connected")


def agent_in(phase: AgentPhase) -> Playbook:
    match phase:
        case AgentPhase.IDLE:
            return given(small("an")).available("an")
        case AgentPhase.OFFERED:
            return given(small("an")).available("an").when(arrives())
        case AgentPhase.TALKING:
            return agent_in(AgentPhase.OFFERED).when(answers())
        case AgentPhase.RELEASING:
            return agent_in(AgentPhase.OFFERED).when(CallGone("1.1"))
        case AgentPhase.DIALING:
            return given(small("an")).when(OutboundAsked("1.1", "an", "0967123456"))
        case AgentPhase.CONNECTED:
            return agent_in(AgentPhase.DIALING).when(PhoneChannel("an", "1.1", "up"))


def test_every_cell_of_the_agent_machine_is_named() -> None:
    assert set(agents.MOVES) == {(phase, verb) for phase in AgentPhase for verb in VERBS}


@pytest.mark.parametrize("phase", AgentPhase)
@pytest.mark.parametrize("verb", VERBS)
def test_a_cell_of_the_agent_machine(phase: AgentPhase, verb: str) -> None:
    book = agent_in(phase)
    assert book.agent("an").phase is phase
    turn = Turn(book.world, book.now_ms, "test#1")
    before, after = book.agent("an"), agents.MOVES[phase, verb]
    if after is None:
        with pytest.raises(LookupError, match=f"agent an: {verb} while {phase}"):
            agents.move(turn, "an", verb)
        assert book.agent("an") == before
    else:
        until_ms = book.now_ms + 1 if after is AgentPhase.RELEASING else None
        assert agents.move(turn, "an", verb, releasing_until_ms=until_ms).phase is after
        assert (book.agent("an").releasing_until_ms is None) == (after is not AgentPhase.RELEASING)


@pytest.mark.parametrize("phase", AgentPhase)
def test_whatever_reaches_an_agent_in_any_phase_does_no_harm(phase: AgentPhase) -> None:
    messages: list[Event] = [
        events.AgentStatusAsked("an", "available"),
        events.AgentStatusAsked("an", "not_ready"),
        events.AgentStatusAsked("an", "offline"),
        events.WrapUpEndAsked("an"),
        events.WrapUpExtendAsked("an", 5),
        events.PhoneChanged("an", True),
        events.PhoneChanged("an", False),
        PhoneChannel("an", "9.9", "up"),
        PhoneChannel("an", "1.1", "gone"),
        OutboundAsked("1.5", "an", "0967123456"),
        LegAnswered("1.1", "1.1.a1"),
        LegGone("1.1", "1.1.a1"),
        events.LinkLost("cut"),
        events.SnapshotTaken("boot 1"),
        events.SnapshotTaken("boot 2"),
        events.SetupChanged(small("binh")),
        events.SetupChanged(small("an", "binh")),
        events.ClockMoved(60_000),
    ]
    for message in messages:
        book = agent_in(phase)
        book.now_ms += message.delta_ms if isinstance(message, events.ClockMoved) else 0
        book.when(message).passes(300)
