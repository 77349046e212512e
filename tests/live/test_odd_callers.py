"""Oddities of callers: whatever an operator's trunk sends, the call is served or refused, and nothing is left over.

The numbers are those of the table in docs/sip-oddities.md. The floor looks after every test that no channel, no bridge
and no live call is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.lab import phones, sip
from controller.lab.sipcall import Rule, SipCall
from tests.live.floor import CARRIERS, CUSTOMER, SPEECH, Floor, agent_hz, same
from tests.live.harness import Json, soon, until
from tests.live.patience import PATIENCE_S, READY_S
from tests.live.setups import HOTLINE, ODDITIES, hotline, menu, queue, table, whole
from tests.web.hostile import NAMES

pytestmark = [pytest.mark.live, ODDITIES]

NOBODY, IVR, CLOSED, VOICEMAIL = (f"+84247300107{n}" for n in range(4))
WAVE = 60
QUIET = 15
"""How often in a row nothing may have changed before a wave is taken for settled."""
SCENARIOS = Path(__file__).parent / "sipp"
SETUP = whole(
    hotline(queue="sales"),
    hotline(NOBODY, queue="nobody"),
    hotline(IVR, menu="main"),
    hotline(CLOSED, queue="sales", hours="never", closed={"play": "live-endless", "then": "hangup"}),
    hotline(VOICEMAIL, queue="sales", hours="never", closed={"voicemail": True}),
    queue("sales", "team"),
    queue("nobody", "empty", max_wait=30, max_size=100),
    menu(
        "main",
        play="live-short",
        timeout=20,
        loops=2,
        keys={"1": {"queue": "sales"}, "2": {"menu": "sub"}},
        on_invalid="repeat",
        on_timeout="hangup",
    ),
    menu("sub", play="live-long", timeout=20, keys={"1": {"queue": "sales"}}, on_timeout="hangup"),
    table("schedule", {"name": "never", "open": {}}),
    groups={"team": ("a1", "a2"), "empty": ("a6",)},
)


def sipp(floor: Floor, name: str, directory: Path, *, number: str = HOTLINE, calls: int = 1) -> phones.Sipp:
    """One of the scenarios in `sipp/`, played from the first operator's address."""
    scenario = (SCENARIOS / f"{name}.xml").read_text(encoding="utf-8")
    at = (CARRIERS["viettel"], phones.free_port(CARRIERS["viettel"]))
    return phones.Sipp(name, scenario, floor.lab.sip, directory, at, number, calls=calls, life_s=30).start()


async def _over(run: phones.Sipp) -> None:
    """SIPp has played its scenario to the end, and everything was as it expected."""

    async def ask() -> bool:
        return not run.running()

    await until(ask, f"{run.name} is over", READY_S)
    assert run.wait(PATIENCE_S) == 0, run.errors()


async def _ended(floor: Floor, result: str, cause: str, shown: str = CUSTOMER) -> Json:
    row = await floor.ended(shown)
    assert (row["result"], row["end_cause"]) == (result, cause)
    assert [line["name"] for line in await floor.api.story(row["id"])].count("CallEnded") == 1
    return row


async def _talks(floor: Floor, call: SipCall, agent: str = "a1", shown: str = CUSTOMER) -> Json:
    row = await floor.live(shown, state="talking", agent=agent)
    await soon(call.up, "the customer's call is up")

    async def heard() -> bool:
        return call.media.level(agent_hz(agent), 0.3) > SPEECH

    await until(heard, "the customer hears the agent")
    return row


async def test_01_cancel_at_the_first_sign_of_life(floor: Floor) -> None:
    """The CANCEL goes out behind the 100 and races with our answer: whoever wins, nobody is left over."""
    await floor.desk("a1", rule=Rule(status=0))
    call = floor.dial(HOTLINE)
    await call.hangup()
    await soon(call.ended, "the CANCEL is answered")
    rows = await floor.api.calls("ended", since=floor.began)
    assert all((row["result"], row["end_cause"]) == ("missed", "caller") for row in rows)
    await floor.state("a1", "ready")


async def test_02_cancel_crosses_the_answer(floor: Floor, sipp_dir: Path) -> None:
    await floor.desk("a1", rule=Rule(status=0))
    await _over(sipp(floor, "cancel-after-200", sipp_dir))
    await _ended(floor, "missed", "caller")
    await floor.state("a1", "ready")


async def test_04_the_ack_is_lost_and_the_200_repeated(floor: Floor, sipp_dir: Path) -> None:
    await floor.desk("a1")
    await _over(sipp(floor, "ack-lost", sipp_dir))
    row = await _ended(floor, "answered", "caller")
    assert row["agent"] == "a1"
    await floor.state("a1", "ready")


@pytest.mark.parametrize("first", ["INVITE", "BYE"])
async def test_05_bye_crosses_a_re_invite(floor: Floor, first: str) -> None:
    phone = await floor.desk("a1")
    call = floor.dial(HOTLINE)
    await _talks(floor, call)
    leg = await phone.next_call()
    hold = (("Content-Type", "application/sdp"),), sip.offer(call.media_host, call.media.port, way="sendonly")
    requests = [call.within("INVITE", *hold), call.within("BYE")]
    for request in requests if first == "INVITE" else reversed(requests):
        call.phone.send(request)
    await soon(leg.ended, "the agent is let go")
    call.close()
    await _ended(floor, "answered", "caller")
    await floor.state("a1", "ready")


async def test_06_one_invite_repeated_is_one_call(floor: Floor) -> None:
    phone = await floor.desk("a1")
    caller = floor.customer()
    call = caller.dial(HOTLINE, shown=CUSTOMER)
    for _ in range(5):
        caller.send(call.invite)
    await _talks(floor, call)
    assert len(await floor.api.calls()) == 1
    assert len(phone.calls) == 1
    await call.hangup()
    await _ended(floor, "answered", "caller")
    assert len(await floor.api.calls("ended", since=floor.began)) == 1


async def test_16_the_customer_holds_and_comes_back(floor: Floor) -> None:
    phone = await floor.desk("a1")
    call = floor.dial(HOTLINE)
    await _talks(floor, call)
    leg = await phone.next_call()
    assert await call.hold() == sip.OK
    await floor.live(held_by=["caller"])
    assert await leg.hold() == sip.OK
    await floor.live(held_by=["caller", "agent"])
    assert await call.resume() == sip.OK
    await floor.live(held_by=["agent"])
    assert await leg.resume() == sip.OK
    await floor.live(held_by=[])
    await _talks(floor, call)
    await call.hangup()
    await _ended(floor, "answered", "caller")


async def test_16_a_waiting_customer_may_hold_too(floor: Floor) -> None:
    """It keeps its place; nothing is shown, because there is no talk to be held."""
    await floor.desk("a6", status="not_ready")
    call = floor.dial(NOBODY)
    await floor.live(state="waiting", position=1)
    await soon(call.up, "music is heard")
    assert await call.hold() == sip.OK
    assert await call.resume() == sip.OK
    row = await floor.live(state="waiting", position=1)
    assert row["held_by"] == []
    await call.hangup()
    await _ended(floor, "missed", "caller")


async def test_17_a_caller_who_never_sends_a_packet_is_served(floor: Floor) -> None:
    await floor.desk("a1")
    caller = floor.customer()
    caller.hz = 0
    call = caller.dial(HOTLINE, shown=CUSTOMER)
    row = await _talks(floor, call)
    assert row["agent"] == "a1"
    await call.hangup()
    await _ended(floor, "answered", "caller")


# -- 18: hanging up wherever a caller can be before the queue ---------------------------------------------------------


async def _in_story(floor: Floor, name: str, count: int = 1) -> None:
    async def ask() -> bool:
        rows = await floor.api.calls()
        return bool(rows) and [line["name"] for line in await floor.api.story(rows[0]["id"])].count(name) >= count

    await until(ask, f"{count} times {name}")


async def _at_the_prompt(floor: Floor, call: SipCall) -> None:
    await _in_story(floor, "MenuEntered")


async def _waiting_for_a_key(floor: Floor, call: SipCall) -> None:
    await _in_story(floor, "PlaybackEnded")


async def _after_a_wrong_key(floor: Floor, call: SipCall) -> None:
    await _in_story(floor, "MenuEntered")
    await soon(call.up, "the menu is heard")
    await call.press("7", by_info=True)
    await _in_story(floor, "MenuEntered", 2)


async def _in_the_submenu(floor: Floor, call: SipCall) -> None:
    await _in_story(floor, "MenuEntered")
    await soon(call.up, "the menu is heard")
    await call.press("2", by_info=True)
    await _in_story(floor, "MenuEntered", 2)


async def _in_an_announcement(floor: Floor, call: SipCall) -> None:
    await _in_story(floor, "Play")


async def _leaving_a_message(floor: Floor, call: SipCall) -> None:
    await _in_story(floor, "RecordMessage")


@pytest.mark.parametrize(
    ("number", "where", "result"),
    [
        pytest.param(IVR, _at_the_prompt, "stopped_at_menu", id="prompt"),
        pytest.param(IVR, _waiting_for_a_key, "stopped_at_menu", id="waiting-for-a-key"),
        pytest.param(IVR, _after_a_wrong_key, "stopped_at_menu", id="after-a-wrong-key"),
        pytest.param(IVR, _in_the_submenu, "stopped_at_menu", id="submenu"),
        pytest.param(CLOSED, _in_an_announcement, "closed", id="announcement"),
        pytest.param(VOICEMAIL, _in_an_announcement, "voicemail", id="voicemail-greeting"),
        pytest.param(VOICEMAIL, _leaving_a_message, "voicemail", id="voicemail"),
    ],
)
async def test_18_bye_at_every_prompt(floor: Floor, number: str, where, result: str) -> None:
    call = floor.dial(number)
    await where(floor, call)
    await call.hangup()
    row = await floor.ended()
    assert row["result"] == result
    # Asterisk tells the end of what was played or recorded before the end of its channel.
    assert row["end_cause"] in {"caller", "closed", "voicemail"}
    assert [line["name"] for line in await floor.api.story(row["id"])].count("CallEnded") == 1


# -- 19 to 22: what callers say of themselves -------------------------------------------------------------------------

HOST = CARRIERS["viettel"]
PAI = "P-Asserted-Identity"


@pytest.mark.parametrize(
    ("sender", "asserted", "caller"),
    [
        pytest.param(f"<sip:{HOST}>", (), None, id="no-number"),
        pytest.param('"Anonymous" <sip:anonymous@anonymous.invalid>', (), None, id="anonymous"),
        pytest.param(
            '"Anonymous" <sip:anonymous@anonymous.invalid>', (f"<sip:0281110001@{HOST}>",), "0281110001", id="pai-only"
        ),
        pytest.param(
            f"<sip:0281110002@{HOST}>", (f"<sip:0281110003@{HOST}>", "<tel:+84281110003>"), "0281110003", id="two-pais"
        ),
        pytest.param(f"<sip:0281110004@{HOST}>", ("<sip:>>;;",), "0281110004", id="broken-pai"),
    ],
)
async def test_19_who_calls_is_a_number_of_ours_or_nobody(
    floor: Floor, sender: str, asserted: tuple[str, ...], caller: str | None
) -> None:
    phone = await floor.desk("a1")
    headers = tuple((PAI, value) for value in asserted)
    call = floor.customer().dial(HOTLINE, sender=sender, headers=headers)
    await soon(call.up, "served all the same")
    leg = await phone.next_call()
    rows = await until(floor.api.calls, "a live call")
    assert (rows[0]["caller"] or None) == caller
    assert caller is None or same(leg.caller, caller)
    await call.hangup()


INJECTED = (
    "500&PJSIP/x/1",
    "%35%30%30%26PJSIP%2Fviettel",
    f"{HOTLINE}&PJSIP/spare/0900123456",
    f"{HOTLINE}%26PJSIP%2Fspare",
    "%24%7BSHELL(id)%7D",
    "101,1,Hangup()",
    f"{HOTLINE};phone-context=evil",
    "113",
    "a1",
)


@pytest.mark.parametrize("number", INJECTED)
async def test_20_what_is_dialled_reaches_a_hotline_or_nothing(floor: Floor, number: str) -> None:
    phone = await floor.desk("a1")
    switches = [floor.carrier(name) for name in ("mobifone", "spare")]
    caller = floor.customer()
    call = caller.dial(number, shown=CUSTOMER)
    if number.startswith(f"{HOTLINE};"):
        await _talks(floor, call)
        await call.hangup()
        await _ended(floor, "answered", "caller")
    else:
        await soon(call.ended, "refused")
        assert call.status >= sip.REFUSED
        assert not phone.calls
    assert not any(switch.calls for switch in switches)


async def _named(floor: Floor, names: dict[str, str]) -> dict[str, Json]:
    """A caller of every name (by number) at once: the calls of those whose INVITE was SIP."""
    caller = floor.customer()
    caller.hz = 0
    calls = {number: caller.dial(NOBODY, shown=number, name=name) for number, name in names.items()}
    quiet: list[tuple[int, ...]] = []

    async def settled() -> dict[str, Json] | None:
        """Half of them are let in at least, and for a while nobody has come in any more."""
        found = {row["caller"]: row for row in await floor.api.calls("live", limit=200)}
        up = [number for number, call in calls.items() if call.up.is_set()]
        heard = [call for call in calls.values() if call.ringing.is_set() or call.up.is_set() or call.ended.is_set()]
        quiet.append((len(found), len(up), len(heard)))
        enough = len(heard) >= len(names) * 0.5 and all(number in found for number in up)
        return found if enough and len(quiet) > QUIET and len(set(quiet[-QUIET:])) == 1 else None

    found = await until(settled, "the callers wait", READY_S)
    assert not [call for call in calls.values() if call.ended.is_set() and 0 < call.status < 400]
    await asyncio.gather(*(call.hangup() for call in calls.values() if call.up.is_set()))
    for call in calls.values():
        call.close()
    return found


async def test_21_a_hostile_name_is_a_name(floor: Floor) -> None:
    """The whole list, in waves: let in with a name that harms nobody, or refused as no SIP; nothing else."""
    await floor.desk("a6", status="not_ready")
    numbered = {f"02830{n:05d}": name for n, name in enumerate(NAMES)}
    found: dict[str, Json] = {}
    for first in range(0, len(numbered), WAVE):
        found |= await _named(floor, dict(list(numbered.items())[first : first + WAVE]))
    assert len(found) > len(NAMES) * 0.6, "most of the list is well-formed SIP"
    for row in found.values():
        name = row["caller_name"] or ""
        assert len(name) <= 64
        assert name.isprintable()
    switches = [row["trunk"] for row in await floor.api.calls("ended", since=floor.began, limit=200)]
    assert set(switches) <= {None}, "no name leads out of the house"


async def test_21_the_agent_s_phone_is_shown_a_harmless_name(floor: Floor) -> None:
    phone = await floor.desk("a1")
    call = floor.dial(HOTLINE, name='<script>alert("1")</script>&PJSIP/spare/0900')
    leg = await phone.next_call()
    assert leg.invite.get("From").count("<sip:") == 1
    assert same(leg.caller, CUSTOMER)
    await _talks(floor, call)
    await call.hangup()


async def test_22_headers_of_8_kb(floor: Floor) -> None:
    await floor.desk("a1")
    more = (("X-Long", "x" * 8192), ("Subject", "y" * 4096))
    call = floor.dial(HOTLINE, headers=more)
    await _talks(floor, call)
    await call.hangup()
    await _ended(floor, "answered", "caller")


async def test_24_an_offer_without_a_codec_of_ours(floor: Floor) -> None:
    phone = await floor.desk("a1")
    call = floor.dial(HOTLINE, codec=sip.G729)
    await soon(call.ended, "refused")
    assert call.status == 488
    assert not phone.calls
    await floor.state("a1", "ready")


@pytest.fixture(autouse=True)
def _no_names_in_the_logs(floor: Floor) -> Iterator[None]:
    """What callers call themselves is never written to a log as it came."""
    yield
    log = (floor.lab.directory / "daemon.log").read_text(errors="replace")
    assert "<script>" not in log
    assert "SHELL(" not in log
