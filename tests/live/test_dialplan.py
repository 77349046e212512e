"""The dialplan on a real Asterisk, with SIP phones: callers, fallbacks, emergency, agents, and a controller that is
there, refuses, dies half-way or says nothing."""

from __future__ import annotations

import asyncio
import math
import re
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.core.answer import Answer
from controller.core.events import AgentStatusAsked, Event, OutboundAsked, WrapUpExtendAsked
from controller.core.setup import AgentSetup, Hotline, Phone, Setup, Trunk
from controller.lab.render import modules_to_reload, write_generated
from controller.lab.render_files import EXTENSIONS, PJSIP
from controller.lab.render_lab import LANGUAGES, SOUNDS
from controller.lab.sip import user_of
from controller.lab.sipcall import Rule, SipCall
from tests.live.patience import PATIENCE_S, SLOW_S
from tests.live.pbx import (
    ANNOUNCED,
    FIRST,
    OUTSIDE,
    PASSWORD,
    PHONED,
    RUNG,
    SECOND,
    SHORT,
    THIRD,
    TRUNK_PORT,
    Brain,
    Pbx,
    SideDoor,
    Stasis,
    attempt,
    free_port,
)
from tests.live.pbx import setup as exchange

pytestmark = [pytest.mark.live, pytest.mark.asyncio]

SHOWN = "0987654321"
FORMS = (("+842473001001", ANNOUNCED), ("842473001001", ANNOUNCED), ("02473001001", ANNOUNCED), ("19001234", SHORT))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    started = Pbx.start(tmp_path_factory.mktemp("pbx"))
    yield started
    started.stop()


@pytest.fixture
async def pbx(running: Pbx) -> AsyncIterator[Pbx]:
    """The exchange, silent before and empty after every test, and without complaints."""
    before = len(running.complaints())
    yield running
    await until(lambda: running.channels() == 0, "no channel is left")
    assert running.complaints()[before:] == []


async def until(true: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
    loop = asyncio.get_running_loop()
    limit = loop.time() + seconds
    while not true():
        assert loop.time() < limit, f"in {seconds} s: {what}"
        await asyncio.sleep(0.05)


async def soon(event: asyncio.Event, seconds: float = PATIENCE_S) -> None:
    await asyncio.wait_for(event.wait(), seconds)


async def over(call: SipCall, seconds: float = 2 * PATIENCE_S) -> int:
    """Wait for the end of a call; the status of its INVITE."""
    await soon(call.ended, seconds)
    return call.status


async def every(*closing: Awaitable[None]) -> None:
    await asyncio.gather(*closing)


# -- callers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dialled", "hotline"), FORMS)
async def test_a_caller_enters_stasis_unanswered_under_the_hotlines_own_number(
    pbx: Pbx, dialled: str, hotline: str
) -> None:
    async with Stasis(pbx) as stasis, pbx.carrier() as carrier:
        call = carrier.dial(dialled, shown=SHOWN)
        start = await stasis.start()
        assert start["args"] == ["inbound", hotline]
        assert start["channel"]["caller"]["number"] == SHOWN
        assert start["channel"]["state"] == "Ring"
        assert not call.up.is_set()
        await stasis.let_go(start, call)


@pytest.mark.parametrize(
    ("shown", "number"),
    [
        ("+84987654321", "+84987654321"),
        ("0987.654-321", "0987654321"),
        ("anonymous", ""),
        ("alice", ""),
        ("500%26PJSIP%2Fx%2F1900", ""),
        ("%24%7BSHELL%28id%29%7D", ""),
        ("%22%20%3D%20%22%22%20%7C%20%221", ""),
        ("0987654321%0Aagi_extension%3A%20900", ""),
        ("9" * 60, ""),
    ],
)
async def test_a_caller_id_that_is_no_number_is_anonymous_and_no_refusal(pbx: Pbx, shown: str, number: str) -> None:
    async with Stasis(pbx) as stasis, pbx.carrier() as carrier:
        call = carrier.dial(ANNOUNCED, shown=shown, name="Nguyễn <b>$[1+1]</b>, ${EXTEN}")
        start = await stasis.start()
        assert start["channel"]["caller"]["number"] == number
        assert start["args"] == ["inbound", ANNOUNCED]
        await stasis.let_go(start, call)


@pytest.mark.parametrize(
    "dialled", ["02473001009", "113", OUTSIDE, "101", "*40", "s", "500&PJSIP/x/1900", "%0a", "T", "h"]
)
async def test_what_is_no_hotline_is_not_found(pbx: Pbx, dialled: str) -> None:
    async with pbx.carrier() as carrier:
        assert await over(carrier.dial(dialled, shown=SHOWN)) == 404


async def test_nobody_calls_from_an_unknown_address(pbx: Pbx) -> None:
    from controller.lab.softphone import Softphone

    async with Softphone(pbx.sip, "first") as stranger:
        assert await over(stranger.dial(ANNOUNCED)) == 401


# -- the controller is away: fallbacks ---------------------------------------------------------------------------------


async def test_fallback_announce(pbx: Pbx) -> None:
    async with pbx.carrier() as carrier:
        call = carrier.dial(ANNOUNCED, shown=SHOWN)
        await soon(call.up)
        await over(call)
        assert call.ended_by == "them"
        assert call.media.received > 1.5 * FRAMES_S, "nothing was said"


async def test_fallback_ring_reaches_every_free_phone_of_the_primary_groups(pbx: Pbx) -> None:
    fixed, an, chi = pbx.fixed(Rule(ring_s=1)), await pbx.agent("an", Rule(status=0)), await pbx.agent("chi")
    async with pbx.carrier(SECOND) as carrier:
        call = carrier.dial(RUNG, shown=SHOWN)
        await soon(call.up)
        assert (len(fixed.calls), len(an.calls), len(chi.calls)) == (1, 1, 0)
        assert fixed.calls[0].caller == SHOWN
        assert await over(an.calls[0]) == 487
        await call.hangup()
        await over(fixed.calls[0])
    await every(fixed.close(), an.close(), chi.close())


async def test_fallback_ring_leaves_busy_phones_out_and_apologises_in_the_end(pbx: Pbx) -> None:
    fixed, an = pbx.fixed(Rule(status=486)), await pbx.agent("an")
    async with pbx.carrier(SECOND) as carrier:
        busy = an.dial("102")
        assert await over(busy) == 486
        fixed.rule = Rule()
        await pbx.sees("binh")
        talking = an.dial("102")
        await soon(talking.up)
        await pbx.sees("an", "BUSY")
        await pbx.sees("binh", "BUSY")
        call = carrier.dial(RUNG, shown=SHOWN)
        await soon(call.up)
        await over(call)
        assert len(an.calls) == 2
        assert len(fixed.calls) == 2
        await talking.hangup()
    await every(fixed.close(), an.close())


async def test_fallback_phone_leaves_by_the_hotlines_trunk_and_shows_the_hotline(pbx: Pbx) -> None:
    async with pbx.carrier(FIRST, Rule(ring_s=0.5)) as first, pbx.carrier(SECOND) as caller:
        call = caller.dial(PHONED, shown=SHOWN)
        outside = await first.next_call()
        assert user_of(outside.invite.get("To")) == OUTSIDE
        assert outside.caller == PHONED
        assert not call.up.is_set(), "answered before the callee did"
        await soon(call.up)
        await call.hangup()
        await over(outside)


async def test_fallback_phone_that_is_not_reached_is_an_apology(pbx: Pbx) -> None:
    async with pbx.carrier(FIRST, Rule(status=503)), pbx.carrier(SECOND) as caller:
        call = caller.dial(PHONED, shown=SHOWN)
        await soon(call.up)
        await over(call)
        assert call.ended_by == "them"


# -- emergency: nothing of ours is running -----------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["112", "113", "114", "115"])
async def test_emergency_needs_nothing_of_ours(pbx: Pbx, number: str) -> None:
    an = await pbx.agent()
    async with pbx.carrier(FIRST) as first:
        call = an.dial(number)
        await soon(call.up)
        assert user_of(first.calls[0].invite.get("To")) == number
        assert first.calls[0].caller == ANNOUNCED
        await call.hangup()
    await an.close()


async def test_emergency_tries_every_trunk_that_is_on(pbx: Pbx) -> None:
    an = await pbx.agent()
    async with pbx.carrier(FIRST, Rule(status=503)) as first, pbx.carrier(SECOND) as second:
        call = an.dial("113")
        await soon(call.up)
        assert (len(first.calls), second.calls[0].caller) == (1, RUNG)
        await call.hangup()
    await an.close()


async def test_emergency_without_a_trunk_is_said_and_ended(pbx: Pbx) -> None:
    an = await pbx.agent()
    async with pbx.carrier(FIRST, Rule(status=503)), pbx.carrier(SECOND, Rule(status=500)):
        call = an.dial("113")
        assert await over(call) == 503
        assert call.media.received > FRAMES_S, "nothing was said"
    await an.close()


# -- agents ----------------------------------------------------------------------------------------------------------


async def test_an_agents_call_leaves_by_the_trunk_and_number_it_was_given(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([attempt("second", "0912999888", RUNG)])
    async with SideDoor(pbx, brain), pbx.carrier(SECOND, Rule(ring_s=0.5)) as carrier:
        began = time.monotonic()
        call = an.dial(OUTSIDE, shown="an", name="Forged <113>")
        leg = await carrier.next_call()
        assert user_of(leg.invite.get("To")) == "0912999888"
        assert leg.caller == RUNG
        assert "Forged" not in leg.invite.get("From")
        assert RUNG in leg.invite.get("P-Asserted-Identity")
        assert not call.up.is_set(), "the agent was answered before the callee"
        await soon(call.up)
        await asyncio.sleep(1.2)
        await leg.hangup()
        assert await over(call) == 200
        asked = brain.told[0]
        assert isinstance(asked, OutboundAsked)
        assert (asked.endpoint, asked.dialled, asked.via) == ("an", OUTSIDE, "")
        assert [(end.call, end.status) for end in brain.ended] == [(asked.call, "ANSWER")]
        assert 1 <= brain.ended[0].answered_s <= time.monotonic() - began, "whole seconds of talk"
    await an.close()


async def test_the_agent_hangs_up_first(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([attempt()])
    async with SideDoor(pbx, brain) as door, pbx.carrier(FIRST) as carrier:
        began = time.monotonic()
        call = an.dial(OUTSIDE)
        await soon(call.up)
        await asyncio.sleep(1.2)
        await call.hangup()
        await over(carrier.calls[0])
        await until(lambda: len(door.outcomes) == 2, "the end is told")
        assert [end.status for end in brain.ended] == ["ANSWER"]
        assert 1 <= brain.ended[0].answered_s <= time.monotonic() - began, "whole seconds of talk"
        assert door.outcomes == [("outbound", "done"), ("ended", "done")]
    await an.close()


async def test_the_agent_gives_up_while_it_rings(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([attempt()])
    async with SideDoor(pbx, brain), pbx.carrier(FIRST, Rule(status=0)) as carrier:
        call = an.dial(OUTSIDE)
        await soon(call.ringing)
        await call.hangup()
        await until(lambda: bool(brain.ended), "the end is told")
        assert [(end.status, end.answered_s) for end in brain.ended] == [("CANCEL", 0)]
        assert await over(carrier.calls[0]) == 487
    await an.close()


@pytest.mark.parametrize("code", [500, 503, 502, 403, 408, 488])
async def test_a_trunk_that_fails_is_followed_by_the_next(pbx: Pbx, code: int) -> None:
    an, brain = await pbx.agent(), Brain([attempt("first"), attempt("second", caller_id=RUNG)])
    async with SideDoor(pbx, brain), pbx.carrier(FIRST, Rule(status=code)), pbx.carrier(SECOND) as second:
        call = an.dial(OUTSIDE)
        await soon(call.up)
        assert second.calls[0].caller == RUNG
        assert [event.status in {"CHANUNAVAIL", "CONGESTION"} for event in brain.nexts] == [True]
        await call.hangup()
        await until(lambda: bool(brain.ended), "the end is told")
        assert [end.status for end in brain.ended] == ["ANSWER"]
    await an.close()


@pytest.mark.parametrize(
    ("code", "status", "heard"),
    [(486, "BUSY", 486), (600, "BUSY", 486), (603, "DECLINED", 403), (480, "NOANSWER", 480), (404, "INVALID", 404)],
)
async def test_what_the_callee_says_is_no_fault_of_the_trunk(pbx: Pbx, code: int, status: str, heard: int) -> None:
    an, brain = await pbx.agent(), Brain([attempt("first"), attempt("second")])
    async with SideDoor(pbx, brain), pbx.carrier(FIRST, Rule(status=code)), pbx.carrier(SECOND) as second:
        assert await over(an.dial(OUTSIDE)) == heard
        await until(lambda: bool(brain.ended), "the end is told")
        assert (brain.nexts, second.calls) == ([], [])
        assert [end.status for end in brain.ended] == [status]
    await an.close()


async def test_a_callee_who_does_not_answer(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([attempt("first"), attempt("second")], dial_s=1)
    async with SideDoor(pbx, brain), pbx.carrier(FIRST, Rule(status=0)), pbx.carrier(SECOND) as second:
        assert await over(an.dial(OUTSIDE)) == 480
        assert [end.status for end in brain.ended] == ["NOANSWER"]
        assert second.calls == []
    await an.close()


async def test_the_loop_over_trunks_has_an_end(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([attempt() for _ in range(50)])
    async with SideDoor(pbx, brain), pbx.carrier(FIRST, Rule(status=503)) as carrier:
        assert await over(an.dial(OUTSIDE)) == 503
        assert len(carrier.calls) == 8
        assert [end.status for end in brain.ended] == ["CONGESTION"]
    await an.close()


async def test_a_trunk_that_sends_the_call_elsewhere_is_not_followed(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([attempt()])
    async with SideDoor(pbx, brain), pbx.carrier(FIRST, Rule(status=302)) as carrier:
        assert await over(an.dial(OUTSIDE)) >= 400
        assert len(carrier.calls) == 1
        assert len([event for event in brain.told if isinstance(event, OutboundAsked)]) == 1
    await an.close()


FRAMES_S = 50
LOST_FRAMES_MAX = 5
"""Frames of 20 ms a network may lose of an announcement."""
WORDS = {
    **dict.fromkeys(("not_agent", "blocked", "number_kind", "country", "outside_hours", "over_limit"), 403),
    **dict.fromkeys(("virtual", "not_permitted", "no_hotline", "in_call"), 403),
    **dict.fromkeys(("no_trunk", "unavailable"), 503),
    "not_understood": 484,
}
"""Every word a call is refused with, and the status the phone gets after it has heard why."""
PLAYING = re.compile(r"<PJSIP/an-\w+> Playing 'tongdai-refused-(\w+)\.\w+' \(language '(\w+)'\)")


@dataclass
class Refusing(Brain):
    """Refuses every number with a word of its own."""

    words: dict[str, str] = field(default_factory=dict)

    def tell(self, event: Event) -> None:
        if isinstance(event, OutboundAsked):
            self.refusal = self.words[event.dialled]
        super().tell(event)


def frames_of(word: str, language: str) -> int:
    """How many frames of 20 ms an announcement has."""
    with wave.open(str(SOUNDS / language / f"tongdai-refused-{word}.wav")) as wav:
        return math.ceil(wav.getnframes() * FRAMES_S / wav.getframerate())


@pytest.fixture
def told(pbx: Pbx, tmp_path: Path) -> Iterator[Callable[[], list[tuple[str, ...]]]]:
    """What Asterisk says that it plays to the agent, as word and language; the language is put back afterwards."""
    log = tmp_path / "playing"
    pbx.cli(f"logger add channel {log} verbose(3)")
    yield lambda: PLAYING.findall(log.read_text(errors="replace")) if log.exists() else []
    pbx.cli(f"logger remove channel {log}")
    pbx.cli(f"dialplan set global TD_LANGUAGE {exchange().defaults.language}")


async def test_a_refusal_is_said_before_any_answer(pbx: Pbx, told: Callable[[], list[tuple[str, ...]]]) -> None:
    """Every word in every language, all at once: the right announcement is played, to its end, and nobody is called."""
    assert {path.stem for path in SOUNDS.glob("*/tongdai-refused-*.wav")} == {
        f"tongdai-refused-{word}" for word in WORDS
    }
    number = {word: f"09123456{n}" for n, word in enumerate(WORDS, start=10)}
    an, brain = await pbx.agent(), Refusing([], words={dialled: word for word, dialled in number.items()})
    calls: dict[tuple[str, str], SipCall] = {}
    async with SideDoor(pbx, brain), pbx.carrier(FIRST) as carrier:
        for language in LANGUAGES:
            pbx.cli(f"dialplan set global TD_LANGUAGE {language}")
            calls.update({(word, language): an.dial(number[word]) for word in WORDS})
            await until(lambda: len(told()) >= len(calls), f"every announcement in {language} begins")
        ends = dict(zip(calls, await asyncio.gather(*(over(call) for call in calls.values())), strict=True))
        assert sorted(told()) == sorted(calls)
        assert ends == {(word, language): WORDS[word] for word, language in calls}
        assert not [key for key, call in calls.items() if call.up.is_set()]
        short = {key: call.media.received - frames_of(*key) for key, call in calls.items()}
        assert not {key: by for key, by in short.items() if abs(by) > LOST_FRAMES_MAX}, (
            "cut off, or another announcement"
        )
        assert carrier.calls == []
        assert len(brain.ended) == len(calls)
    await an.close()


HOSTILE = """
500&PJSIP/x/1900 0912%26PJSIP 0912,30,A(x) $%7BEXTEN%7D 9' 0912%20345 *99%7Cx 0%5E1 0%0a1 0912%22 9%5C9 (0) 0912/1
abc x0912345678 tel:+84912345678 %25%25 h113 %22113 %5B0912 -0912 failed $%7BSHELL(id)%7D
"""


async def test_what_nobody_dials_is_not_dialled(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([attempt()] * len(HOSTILE.split()))
    async with SideDoor(pbx, brain), pbx.carrier(FIRST) as carrier:
        ends = await asyncio.gather(*(over(an.dial(dialled)) for dialled in HOSTILE.split()))
        assert {n: end for n, end in zip(HOSTILE.split(), ends, strict=True) if end != 484} == {}
        assert carrier.calls == [], "not even when the controller permits it"
        asked = [event for event in brain.told if isinstance(event, OutboundAsked)]
        assert len(asked) == len(ends), "each refusal is told, for the history"
        assert all(event.odd and set(event.dialled) <= set("0123456789+*#") for event in asked)
    await an.close()


async def test_a_sign_alone_is_nobody_s_number(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([])
    async with SideDoor(pbx, brain):
        assert {await over(an.dial(sign)) for sign in ("s", "h", "i", "t", "T", "x", "%3B", "%25")} == {484}
        assert brain.told == [], "Asterisk itself calls extensions by letters, and nothing of ours runs by them"
    await an.close()


# -- a controller that fails -------------------------------------------------------------------------------------------


async def test_nobody_at_the_side_door_is_said_at_once(pbx: Pbx) -> None:
    an = await pbx.agent()
    async with pbx.carrier(FIRST) as carrier:
        call = an.dial(OUTSIDE)
        await soon(call.ringing)
        assert await over(call) == 503
        assert carrier.calls == []
    await an.close()


async def silent_server(pbx: Pbx, after: bytes = b"", *, close: bool = False) -> tuple[asyncio.Server, list[bytes]]:
    """A side door that says a few words and then nothing, or is gone."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n\n")
        writer.write(after)
        if close:
            await reader.readline()
        else:
            heard.append(await reader.read())
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", pbx.ports.agi), heard


async def test_a_silent_controller_costs_three_seconds_and_not_the_call(pbx: Pbx) -> None:
    server, heard = await silent_server(pbx)
    an = await pbx.agent()
    async with pbx.carrier(FIRST) as carrier:
        call = an.dial(OUTSIDE)
        await soon(call.ringing)
        assert 2.5 < call.at["ringing"] - call.at["invite"] < 3 + SLOW_S
        assert await over(call) == 503
        assert carrier.calls == []
        await until(lambda: bool(heard), "Asterisk closes the side door")
        assert [b"HANGUP" in data for data in heard] == [True]
    server.close()
    await an.close()


async def test_a_controller_that_dies_before_its_last_word_has_permitted_nothing(pbx: Pbx) -> None:
    words = b"".join(
        b"SET VARIABLE %s %s\n" % pair
        for pair in ((b"TD_TRUNK", b"first"), (b"TD_NUMBER", OUTSIDE.encode()), (b"TD_CALLERID", ANNOUNCED.encode()))
    )
    server, _ = await silent_server(pbx, words, close=True)
    an = await pbx.agent()
    async with pbx.carrier(FIRST) as carrier:
        assert await over(an.dial(OUTSIDE)) == 503
        assert carrier.calls == []
    server.close()
    await an.close()


async def test_a_controller_that_freezes_during_the_talk_does_not_keep_the_agent(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([attempt()])
    async with pbx.carrier(FIRST) as carrier:
        async with SideDoor(pbx, brain):
            call = an.dial(OUTSIDE)
            await soon(call.up)
        server, _ = await silent_server(pbx)
        await carrier.calls[0].hangup()
        began = asyncio.get_running_loop().time()
        await over(call)
        assert asyncio.get_running_loop().time() - began < 2 + SLOW_S
        server.close()
    await an.close()


# -- two controllers, one of which leads ----------------------------------------------------------------------------


@pytest.fixture
def other_door(pbx: Pbx) -> Iterator[int]:
    """The port of a second controller, which the dialplan knows during a test."""
    port = free_port()
    assert pbx.ari("POST", f"asterisk/variable?variable=TD_AGI_2&value=agi://127.0.0.1:{port}") == 204
    yield port
    assert pbx.ari("POST", "asterisk/variable?variable=TD_AGI_2&value=") == 204


async def test_who_refuses_the_connection_is_not_asked_twice_before_the_other(pbx: Pbx, other_door: int) -> None:
    """The first question, the question for the next trunk, the outcome by either side, and a feature code."""
    an, brain = await pbx.agent(), Brain([attempt("first"), attempt("second"), attempt("second")], answer=Answer())
    async with SideDoor(pbx, brain, other_door), pbx.carrier(FIRST, Rule(status=503)), pbx.carrier(SECOND) as second:
        call = an.dial(OUTSIDE)
        await soon(call.up)
        await second.calls[0].hangup()
        await until(lambda: len(brain.ended) == 1, "the end by the callee is told")
        call = an.dial(OUTSIDE)
        await soon(call.up)
        await call.hangup()
        await until(lambda: len(brain.ended) == 2, "the end by the agent is told")
        assert [(end.status, end.by_callee) for end in brain.ended] == [("ANSWER", True), ("ANSWER", False)]
        assert len(brain.nexts) == 1
        call = an.dial("*40")
        await soon(call.up)
        await call.hangup()
        assert brain.told[-1] == AgentStatusAsked("an", "available", by="phone")
    await an.close()


async def test_between_two_leaders_an_agent_waits_and_is_not_refused(pbx: Pbx, other_door: int) -> None:
    an, brain = await pbx.agent(), Brain([attempt()])
    async with pbx.carrier(FIRST):
        call = an.dial(OUTSIDE)
        await until(lambda: pbx.channels() == 1, "the agent dials")
        async with SideDoor(pbx, brain, other_door):
            await soon(call.up)
            await call.hangup()
            await until(lambda: len(brain.ended) == 1, "the end is told")
    await an.close()


async def test_a_leader_that_stands_still_is_left_for_the_other(pbx: Pbx, other_door: int) -> None:
    server, _ = await silent_server(pbx)
    an, brain = await pbx.agent(), Brain([attempt()])
    async with SideDoor(pbx, brain, other_door), pbx.carrier(FIRST):
        call = an.dial(OUTSIDE)
        await soon(call.up)
        server.close()
        await call.hangup()
        await until(lambda: len(brain.ended) == 1, "the end is told")
    await an.close()


async def test_of_two_that_are_away_the_agent_hears_it_at_last(pbx: Pbx, other_door: int) -> None:
    assert other_door
    an = await pbx.agent()
    async with pbx.carrier(FIRST) as carrier:
        assert await over(an.dial(OUTSIDE)) == 503
        assert carrier.calls == []
    await an.close()


# -- feature codes and colleagues --------------------------------------------------------------------------------------


async def test_a_feature_code_is_done_and_confirmed(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([], answer=Answer())
    async with SideDoor(pbx, brain):
        for code, event in (
            ("*40", AgentStatusAsked("an", "available", by="phone")),
            ("*43", WrapUpExtendAsked("an", 30, by="phone")),
        ):
            call = an.dial(code)
            await soon(call.up)
            await over(call)
            assert brain.told[-1] == event
            assert call.media.received > 0.8 * FRAMES_S, "nothing was said"
    await an.close()


async def test_a_feature_code_without_a_controller_is_refused(pbx: Pbx) -> None:
    an = await pbx.agent()
    assert await over(an.dial("*42")) == 503
    await an.close()


async def test_colleagues_reach_each_other_by_extension(pbx: Pbx) -> None:
    an, chi = await pbx.agent("an"), await pbx.agent("chi")
    call = an.dial("103")
    await soon(call.up)
    assert chi.calls[0].caller == "101"
    third = chi.calls[0]
    await pbx.sees("chi", "BUSY")
    assert await over(an.dial("103")) == 486
    await call.hangup()
    await over(third)
    await chi.unregister()
    await pbx.sees("chi", "UNAVAILABLE")
    assert await over(an.dial("103")) == 480
    await every(an.close(), chi.close())


# -- a change of the setup ---------------------------------------------------------------------------------------------


def put(pbx: Pbx, whole: Setup) -> tuple[str, ...]:
    """Write a setup's files and have Asterisk read them, as the daemon does after `tongdai apply`."""
    changed = write_generated(whole, pbx.places.generated)
    for module in modules_to_reload(changed):
        assert pbx.ari("PUT", f"asterisk/modules/{module}") == 204
    return changed


async def test_a_new_hotline_needs_no_restart_and_no_call_notices(pbx: Pbx) -> None:
    an, brain = await pbx.agent(), Brain([attempt()])
    new = Hotline("+842473001777", country="VN", trunk="first", queue="sales")
    trunk = Trunk("third", "viettel", f"{THIRD}:{TRUNK_PORT}", "third")
    dung = AgentSetup("dung", ("sales",), "104", phone=Phone(user="dung", password=PASSWORD), endpoint="dung")
    async with SideDoor(pbx, brain), Stasis(pbx) as stasis, pbx.carrier(FIRST) as carrier, pbx.carrier(THIRD) as third:
        assert await over(carrier.dial(new.number)) == 404
        assert await over(third.dial(ANNOUNCED)) == 401
        talking = an.dial(OUTSIDE)
        await soon(talking.up)
        held = carrier.dial(ANNOUNCED, shown=SHOWN)
        held_start = await stasis.start()

        assert put(pbx, exchange(new, trunks=(trunk,), agents=(dung,))) == (PJSIP, EXTENSIONS)

        reached = third.dial("02473001777", shown=SHOWN)
        reached_start = await stasis.start()
        assert reached_start["args"] == ["inbound", new.number]
        newcomer = await pbx.agent("dung")
        sides = (talking.media, carrier.calls[1].media)
        before = [side.received for side in sides]
        await until(
            lambda: min(side.received - n for side, n in zip(sides, before, strict=True)) > 15, "the talk goes on"
        )
        assert not talking.ended.is_set()
        assert not held.ended.is_set()
        await stasis.let_go(reached_start, reached)
        await stasis.let_go(held_start, held)
        await talking.hangup()
    await pbx.sees("an")
    ringing = newcomer.dial("101")
    await soon(ringing.up)
    assert len(an.calls) == 2, "the registration is lost"
    await ringing.hangup()
    await newcomer.close()
    assert put(pbx, exchange()) == (PJSIP, EXTENSIONS)
    async with pbx.carrier(FIRST) as carrier, pbx.carrier(THIRD) as third:
        assert await over(carrier.dial(new.number)) == 404
        assert await over(third.dial(ANNOUNCED)) == 401
    await an.close()
