"""The telephone against a server that can be made to do what Asterisk does on bad days."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from controller.ari import client, pulse, requests
from controller.ari.client import AriClient, AriHttp, RefusedError, TooOldError
from controller.ari.link import LinkState
from controller.ari.pool import NotListeningError
from controller.ari.requests import OPERATIONS
from controller.ari.telephone import AriTelephone
from controller.ari.wire import WANTED
from controller.core import commands as do
from controller.core.events import CallArrived, CallGone, Event
from controller.errors import LeadLostError, TelephoneError
from tests.wire.fake_ari import Asked, FakeAri, fake_ari

pytestmark = pytest.mark.wire

CALL = "1795369149.0"
LEG = f"{CALL}.a1"
RING = do.RingAgent(CALL, "x", LEG, "an", "0912345678", "An", 15)
CALLER = {"id": CALL, "name": "PJSIP/cl-00000000", "state": "Ring", "caller": {"number": "0912", "name": ""}}


class Owner:
    """What the house does with the telephone: keep the events, take a snapshot when asked to."""

    def __init__(self, telephone: AriTelephone) -> None:
        self.telephone = telephone
        self.events: list[Event] = []
        self.states: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def on_link(self, state: LinkState) -> None:
        self.states.append(str(state))
        if state is LinkState.SYNCING:
            task = asyncio.create_task(self._synchronise())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _synchronise(self) -> None:
        await self.telephone.snapshot()
        self.telephone.synced()


LIMIT_S = client.COMMAND_LIMIT_S
PATIENT_S = 60.0


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still is no silent Asterisk. A test about a limit puts that one back."""
    limit(monkeypatch, PATIENT_S)
    monkeypatch.setattr(requests, "ENTER_LIMIT_S", PATIENT_S)
    monkeypatch.setattr(requests, "FINISH_LIMIT_S", PATIENT_S)
    monkeypatch.setattr(pulse, "PING_EVERY_S", PATIENT_S)


@asynccontextmanager
async def linked(fake: FakeAri) -> AsyncIterator[tuple[AriTelephone, Owner, asyncio.Task[None]]]:
    telephone = AriTelephone(fake.settings)
    owner = Owner(telephone)
    link = asyncio.create_task(telephone.run_link(owner.events.append, owner.on_link))
    try:
        await until(lambda: telephone.state is LinkState.LIVE)
        yield telephone, owner, link
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await telephone.close()


def limit(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """How long every command may wait."""
    monkeypatch.setattr(AriClient.ask, "__defaults__", (seconds,))
    monkeypatch.setattr(AriHttp.send, "__defaults__", (b"", seconds))
    monkeypatch.setattr(client, "COMMAND_LIMIT_S", seconds)


async def until(true: Callable[[], bool], within_s: float = 20.0) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s, "it never happened"
        await asyncio.sleep(0.002)
    return time.monotonic() - began


def ready(asked: Asked) -> object:
    """An Asterisk without calls."""
    if asked.method == "GET":
        return 200, {} if "info" in asked.path or "applications" in asked.path else []
    return None


FILTER = "PUT /ari/applications/tongdai/eventFilter"


async def test_the_socket_is_open_before_the_snapshot_is_taken():
    async with fake_ari(answer=ready) as fake, linked(fake) as (_, owner, _link):
        await until(lambda: owner.states == ["syncing", "live"])
        assert fake.lines.index("WS /ari/events") < fake.lines.index("GET /ari/channels")


async def test_events_are_filtered_before_anything_else_is_asked_of_the_application():
    """Asterisk dies of a filter that is replaced while the application is read."""
    told = asyncio.Event()

    async def slow(asked: Asked) -> object:
        if "eventFilter" in asked.path:
            await told.wait()
        return ready(asked)

    async with fake_ari(answer=slow) as fake:
        telephone = AriTelephone(fake.settings)
        link = asyncio.create_task(telephone.run_link(lambda _: None, lambda _: None))
        await until(lambda: FILTER in fake.lines)
        asked = [line for line in fake.lines if "applications" in line]
        assert asked == ["GET /ari/applications/tongdai", FILTER]
        assert telephone.state is LinkState.CONNECTING
        (filtered,) = [asked for asked in fake.asked if "eventFilter" in asked.path]
        assert filtered.body == {"allowed": [{"type": kind} for kind in WANTED], "disallowed": []}
        told.set()
        await until(lambda: telephone.state is LinkState.SYNCING)
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await telephone.close()


async def test_a_filter_that_is_there_already_is_not_set_again():
    def filtered(asked: Asked) -> object:
        if asked.line == "GET /ari/applications/tongdai":
            return 200, {"events_allowed": [{"type": kind} for kind in reversed(WANTED)]}
        return ready(asked)

    async with fake_ari(answer=filtered) as fake, linked(fake) as (telephone, _owner, _link):
        await until(lambda: telephone.state is LinkState.LIVE)
        fake.cut()
        await until(lambda: fake.connects == 2 and telephone.state is LinkState.LIVE)
        assert FILTER not in fake.lines


@pytest.mark.parametrize("spoilt", ["channels", "bridges", "applications/tongdai", "asterisk/info"])
async def test_a_snapshot_that_cannot_be_read_is_none_and_ends_no_call(spoilt: str):
    def odd(asked: Asked) -> object:
        return (200, "odd") if asked.line == f"GET /ari/{spoilt}" else ready(asked)

    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, _owner, _link):
        await until(lambda: telephone.state is LinkState.LIVE)
        fake.answer = odd
        with pytest.raises(TelephoneError, match="cannot be read"):
            await telephone.snapshot()


async def test_an_asterisk_that_is_too_old_is_refused_for_good():
    lacking = {name: rows for name, rows in OPERATIONS.items() if name != "channels.dial"}
    async with fake_ari(operations=lacking) as fake:
        with pytest.raises(TooOldError, match=r"channels\.dial"):
            await AriTelephone(fake.settings).run_link(print, print)


@pytest.mark.parametrize("end", ["cut", "hang_up"])
async def test_a_cut_is_told_and_mended(end):
    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, owner, _):
        assert (await asyncio.gather(fake.hang_up()) if end == "hang_up" else fake.cut()) != ""
        await until(lambda: "lost" in owner.states)  # told, and not noticed by a silence: nobody pings before a minute
        await until(lambda: telephone.state is LinkState.LIVE)
        assert owner.states == ["syncing", "live", "lost", "connecting", "syncing", "live"]
        assert fake.connects == 2


async def test_a_silent_peer_is_noticed(monkeypatch):
    monkeypatch.setattr(pulse, "PING_EVERY_S", 0.1)
    monkeypatch.setattr(pulse, "GRACE_S", 1.0)
    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, owner, _):
        await asyncio.sleep(0.35)
        assert owner.states == ["syncing", "live"]  # pongs come
        assert 0 < telephone.latency_s < 20
        fake.mute = True
        fake.cut()  # the next stream answers no ping
        await until(lambda: owner.states.count("lost") == 2)


async def test_while_asterisk_is_away_nothing_spins():
    with socket.socket() as taken:  # bound, so that nobody else can listen there, and not listening
        taken.bind(("127.0.0.1", 0))
        telephone = AriTelephone(FakeAri(port=taken.getsockname()[1]).settings)
        owner = Owner(telephone)
        began, spent = time.monotonic(), time.process_time()
        link = asyncio.create_task(telephone.run_link(owner.events.append, owner.on_link))
        await asyncio.sleep(1.0)
        assert (time.process_time() - spent) / (time.monotonic() - began) < 0.5
        assert set(owner.states) == {"connecting"}  # never was there, so never lost
        with pytest.raises(TelephoneError, match="not been reached"):
            await telephone.run(do.Answer(CALL, "x"))
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await telephone.close()


async def test_another_controller_silences_this_one_at_once():
    hold = asyncio.Event()

    async def slowly(asked: Asked) -> object:
        if "answer" in asked.path:
            await hold.wait()
        return ready(asked)

    async with fake_ari(answer=slowly) as fake, linked(fake) as (telephone, owner, link):
        waiting = [asyncio.create_task(telephone.run(do.Answer(f"1.{n}", "x"))) for n in range(20)]
        await until(lambda: sum("answer" in line for line in fake.lines) == 12)  # the rest waits for a connection
        await fake.say("ApplicationReplaced")
        await until(lambda: owner.states[-1] == "replaced")
        asked_by_then = len(fake.asked)
        with pytest.raises(LeadLostError, match="another controller"):
            await link
        with pytest.raises(LeadLostError):
            await telephone.run(do.HangUp(CALL, "x", CALL))
        with pytest.raises(LeadLostError):
            await telephone.snapshot()
        hold.set()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert len(fake.asked) == asked_by_then


async def test_a_leg_is_dialled_when_it_is_ready_even_if_the_word_comes_before_the_reply():
    async def overtaken(asked: Asked) -> object:
        if asked.path.endswith("create"):
            await fake.say("StasisStart", args=["leg"], channel={"id": LEG})
            await asyncio.sleep(0.05)
            return 200, {}
        return ready(asked)

    async with fake_ari() as fake:
        fake.answer = overtaken
        async with linked(fake) as (telephone, _, _link):
            await telephone.run(RING)
        assert fake.lines[-2:] == ["POST /ari/channels/create", f"POST /ari/channels/{LEG}/dial"]


async def test_a_leg_that_never_gets_ready_is_taken_back(monkeypatch):
    monkeypatch.setattr(requests, "ENTER_LIMIT_S", 1.0)
    async with fake_ari(answer=lambda asked: ready(asked) or (200, {})) as fake, linked(fake) as (telephone, _, _link):
        with pytest.raises(TelephoneError, match=f"did not say within 1 s that {LEG} has entered"):
            await telephone.run(RING)
        assert fake.lines[-1] == f"DELETE /ari/channels/{LEG}"
        assert f"POST /ari/channels/{LEG}/dial" not in fake.lines


async def test_a_leg_that_dies_at_once_is_not_waited_for():
    async with fake_ari(answer=lambda asked: ready(asked) or (200, {})) as fake, linked(fake) as (telephone, _, _link):
        ringing = asyncio.create_task(telephone.run(RING))
        await until(lambda: any("create" in line for line in fake.lines))
        await fake.say("ChannelDestroyed", cause=34, channel={"id": LEG})
        with pytest.raises(TelephoneError, match="gone before"):
            await asyncio.wait_for(ringing, 20)


async def test_a_leg_that_exists_already_is_only_dialled():
    def there(asked: Asked) -> object:
        return (409, {"message": "exists"}) if "create" in asked.path or "dial" in asked.path else ready(asked)

    async with fake_ari(answer=there) as fake, linked(fake) as (telephone, _, _link):
        await asyncio.wait_for(telephone.run(RING), 20)
        assert fake.lines[-1] == f"POST /ari/channels/{LEG}/dial"


async def test_an_unknown_endpoint_is_a_failure():
    def unknown(asked: Asked) -> object:
        return (500, {"error": "Allocation failed"}) if "create" in asked.path else ready(asked)

    async with fake_ari(answer=unknown) as fake, linked(fake) as (telephone, _, _link):
        with pytest.raises(TelephoneError, match=r"channels\.create \(500\): Allocation failed"):
            await telephone.run(RING)


async def test_a_cut_ends_the_waiting_of_a_command():
    async with fake_ari(answer=lambda asked: ready(asked) or (200, {})) as fake, linked(fake) as (telephone, _, _link):
        ringing = asyncio.create_task(telephone.run(RING))
        await until(lambda: any("create" in line for line in fake.lines))
        fake.cut()
        with pytest.raises(TelephoneError, match="cut"):
            await asyncio.wait_for(ringing, 20)


async def test_stopping_a_prompt_returns_when_it_has_ended():
    prompt = f"{CALL}.pb1"
    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, _, _link):
        stopping = asyncio.create_task(telephone.run(do.StopPlay(CALL, "x", prompt)))
        await asyncio.sleep(0.05)
        assert not stopping.done()
        await fake.say("PlaybackFinished", playback={"id": prompt, "state": "done"})
        await asyncio.wait_for(stopping, 20)
        fake.answer = lambda asked: 404
        await asyncio.wait_for(telephone.run(do.StopPlay(CALL, "x", prompt)), 20)


async def test_a_command_that_found_nobody_listening_is_tried_once_more(monkeypatch):
    """A cut of a moment costs nothing, and one that lasts is known to be one before the command has failed."""
    send, refused = AriTelephone._send, []

    async def refusing(self, operation, parameters, limit_s=None):
        if len(refused) < often:
            refused.append(operation)
            raise NotListeningError("Connection refused")
        return await send(self, operation, parameters, limit_s)

    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, _, _link):
        monkeypatch.setattr(AriTelephone, "_send", refusing)
        often = 1
        await telephone.run(do.StartMusic(CALL, "x", "default"))
        assert fake.lines[-1].startswith(f"POST /ari/channels/{CALL}/moh")
        often = 3
        with pytest.raises(TelephoneError, match="refused"):
            await telephone.run(do.StartMusic(CALL, "x", "default"))


async def test_a_hang_up_that_failed_is_tried_once_more_and_nothing_else_is():
    """A leg left over would go on hearing the caller."""
    asked_for: list[str] = []

    def busy(asked: Asked) -> object:
        if asked.method in {"DELETE", "POST"}:
            asked_for.append(asked.method)
            return (503, {"message": "busy"}) if len(asked_for) % 2 else None
        return ready(asked)

    async with fake_ari(answer=busy) as fake, linked(fake) as (telephone, _, _link):
        asked_for.clear()
        await telephone.run(do.HangUp(CALL, "x", LEG))
        assert asked_for == ["DELETE", "DELETE"]
        with pytest.raises(TelephoneError, match="503"):
            await telephone.run(do.StartMusic(CALL, "x", "default"))
        assert asked_for == ["DELETE", "DELETE", "POST"]


async def test_nobody_is_brought_together_with_a_consulted_phone_while_the_caller_may_hear_it():
    """The caller's way out of the bridge may have been refused before: it is asked for again, and its word counts."""
    asked_for: list[str] = []
    refuses = True

    def busy(asked: Asked) -> object:
        if asked.method == "POST" and "/bridges/" in asked.path:
            asked_for.append(asked.path.rpartition("/")[2])
            return (500, {"message": "Internal Server Error"}) if refuses else None
        return ready(asked)

    async with fake_ari(answer=busy) as fake, linked(fake) as (telephone, _, _link):
        meet = do.Consult(CALL, "x", f"{CALL}.p2", LEG, f"{CALL}.br")
        with pytest.raises(TelephoneError, match="removeChannel"):
            await telephone.run(meet)
        assert asked_for == ["removeChannel"]
        refuses = False
        await telephone.run(meet)
        assert asked_for[1:] == ["removeChannel", f"{CALL}.br", "addChannel"]


async def test_a_frozen_http_side_costs_a_command_its_limit_and_no_more(monkeypatch):
    async def freeze(asked: Asked) -> object:
        await asyncio.sleep(30 if "answer" in asked.path else 0)
        return ready(asked)

    async with fake_ari(answer=freeze) as fake, linked(fake) as (telephone, _, _link):
        limit(monkeypatch, LIMIT_S)
        began = time.monotonic()
        with pytest.raises(TelephoneError, match="did not answer within 2 s"):
            await telephone.run(do.Answer(CALL, "x"))
        assert time.monotonic() - began > 1.9


async def test_callers_cost_no_request_and_the_reader_waits_for_nobody():
    hold = asyncio.Event()

    async def slow(asked: Asked) -> object:
        if "1.0" in asked.path:
            await hold.wait()
        return ready(asked)

    async with fake_ari(answer=slow) as fake, linked(fake) as (telephone, owner, _link):
        asked_before = len(fake.asked)
        answering = asyncio.create_task(telephone.run(do.Answer("1.0", "x")))
        for n in range(40):
            arriving = {**CALLER, "id": f"1.{n}"}
            await fake.say("StasisStart", args=["inbound", "+842473001001"], channel=arriving, n=n)
        await until(lambda: len(owner.events) == 40)
        assert not answering.done(), "the reader waited for nobody"
        hold.set()
        assert owner.events[0] == CallArrived("1.0", "+842473001001", "0912", "")
        await answering
        paths = {asked.path for asked in fake.asked[asked_before:]}
        assert paths == {"/ari/channels/1.0/variable", "/ari/channels/1.0/answer"}


async def test_phones_are_watched_and_those_asterisk_does_not_know_are_named():
    def some(asked: Asked) -> object:
        unknown = "ghost" in asked.query.get("eventSource", "")
        return (422, {"message": "Event source does not exist"}) if unknown else ready(asked)

    def sources(method: str) -> list[str]:
        found = [asked for asked in fake.asked if asked.method == method and "subscription" in asked.path]
        return [asked.query["eventSource"] for asked in found]

    async with fake_ari(answer=some) as fake, linked(fake) as (telephone, _, _link):
        await telephone.watch_phones(["an", "ghost", "binh", "b&d"])
        assert sources("POST")[1:] == ["endpoint:PJSIP/an", "endpoint:PJSIP/ghost", "endpoint:PJSIP/binh"]
        assert telephone.unknown_phones == ("b&d", "ghost")
        fake.asked.clear()
        await telephone.watch_phones(["binh", "chi"])
        assert sources("DELETE") == ["endpoint:PJSIP/an"]
        assert sources("POST") == ["endpoint:PJSIP/chi"]
        assert telephone.unknown_phones == ()


async def test_after_a_cut_phones_are_watched_anew():
    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, _, _link):
        await telephone.watch_phones(["an"])
        fake.cut()
        await until(lambda: fake.connects == 2)
        await until(lambda: telephone.state is LinkState.LIVE)
        fake.asked.clear()
        await telephone.watch_phones(["an"])
        assert [asked.query["eventSource"] for asked in fake.asked if asked.method == "POST"] == ["endpoint:PJSIP/an"]


async def test_a_phone_that_appears_later_is_watched_with_the_next_snapshot():
    known: list[str] = []

    def some(asked: Asked) -> object:
        source = asked.query.get("eventSource", "")
        return (422, {}) if source and source.rsplit("/", 1)[1] not in known else ready(asked)

    async with fake_ari(answer=some) as fake, linked(fake) as (telephone, _, _link):
        await telephone.watch_phones(["late"])
        assert telephone.unknown_phones == ("late",)
        known.append("late")
        await telephone.snapshot()
        assert telephone.unknown_phones == ()


async def test_a_snapshot_that_cannot_be_taken_is_an_error():
    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, _, _link):
        fake.answer = lambda asked: (500, {"message": "no"}) if "bridges" in asked.path else ready(asked)
        with pytest.raises(TelephoneError, match=r"bridges\.list \(500\)"):
            await telephone.snapshot()


async def test_an_asterisk_without_endpoints_is_an_asterisk():
    def bare(asked: Asked) -> object:
        return (404, {"message": "No Endpoints found"}) if "endpoints" in asked.path else ready(asked)

    async with fake_ari(answer=bare) as fake, linked(fake) as (telephone, _, _link):
        assert (await telephone.snapshot()).endpoints == ()


async def test_what_is_not_understood_is_counted_and_the_stream_goes_on():
    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, owner, _):
        for raw in ("{", "[]", '{"type": "Odd"}', '{"type": "StasisStart"}'):
            await fake.say_raw(raw)
        await fake.say("StasisEnd", channel=CALLER)
        await until(lambda: owner.events == [CallGone(CALL)])
        assert telephone.odd == {"not_an_object": 2, "unknown_type": 1, "stasis_args": 1}


async def test_a_module_is_reloaded():
    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, _, _link):
        await telephone.reload("res_pjsip.so")
        assert fake.lines[-1] == "PUT /ari/asterisk/modules/res_pjsip.so"
        fake.answer = lambda asked: (409, {"message": "Module could not be reloaded"})
        with pytest.raises(TelephoneError, match="could not be reloaded"):
            await telephone.reload("res_pjsip.so")


@pytest.mark.parametrize(
    ("reply", "kept"), [((200, {"value": "1"}), True), ((200, {"value": ""}), False), ((404, {}), False)]
)
async def test_the_dialplan_says_whether_it_has_served_calls(reply, kept):
    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, _, _link):
        fake.answer = lambda _asked: reply
        assert await telephone.kept() is kept
        assert fake.asked[-1].query == {"variable": "TD_KEPT"}


async def test_the_dialplan_is_rung_to_tell_them():
    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, _, _link):
        await telephone.ask_kept()
        assert fake.lines[-1] == "POST /ari/channels"
        assert fake.asked[-1].query["endpoint"] == "Local/s@tongdai-report/n"
        fake.answer = lambda _asked: (500, {"error": "Allocation failed"})
        with pytest.raises(TelephoneError, match="Allocation failed"):
            await telephone.ask_kept()


async def test_a_join_goes_in_one_piece_and_the_first_refusal_is_told():
    async with fake_ari(answer=ready) as fake, linked(fake) as (telephone, _, _link):
        before = len(fake.lines)
        await telephone.run(do.Join(CALL, "x", f"{CALL}.a1", f"{CALL}.br"))
        assert [line.rpartition("/")[2] for line in fake.lines[before:]] == ["moh", f"{CALL}.br", "addChannel"]
        fake.answer = lambda asked: 500 if asked.method == "POST" and "addChannel" not in asked.path else 204
        with pytest.raises(RefusedError, match=r"bridges\.createWithId"):
            await telephone.run(do.Join(CALL, "x", f"{CALL}.a1", f"{CALL}.br"))


async def test_replies_to_one_piece_that_stop_half_way_are_no_answer(monkeypatch):
    async def half(asked: Asked) -> object:
        await asyncio.sleep(30 if "addChannel" in asked.path else 0)
        return ready(asked)

    async with fake_ari(answer=half) as fake, linked(fake) as (telephone, _, _link):
        limit(monkeypatch, LIMIT_S)
        with pytest.raises(TelephoneError, match="did not answer within 2 s"):
            await telephone.run(do.Join(CALL, "x", f"{CALL}.a1", f"{CALL}.br"))
        limit(monkeypatch, PATIENT_S)
        await asyncio.wait_for(telephone.run(do.HangUp(CALL, "x", CALL)), 20)
