"""Look-up services: one contract for the fake, HTTP and ENUM; and the deadline, memory and breaker in front of them."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.agi import scripts
from controller.core.setup import Defaults, Ported, Setup
from controller.errors import LedgerError
from controller.lookup import dns
from controller.lookup.breaker import Breaker, State
from controller.lookup.chain import Chain
from controller.lookup.dns import MalformedError, Naptr, answer, question
from controller.lookup.enum import EnumSource, carrier_of
from controller.lookup.http import ANSWER_BYTES_MAX, HttpSource
from controller.lookup.made import service_of
from controller.lookup.service import ASKING_MAX, UNKNOWN_S, Limits, LookupFailedError, LookupService, Source
from controller.settings import Bind, Lookup
from controller.settings_values import LOOKUP_MAX_MS
from tests.fakes.lookup import FakeSource

pytestmark = pytest.mark.wire

LONG_MS = 30_000
KNOWN = {"+84967000111": "mobifone", "+84912345678": "Viettel Telecom", "+856205551234": "8404"}


class Stage:
    """A source and what stands behind it, which can be told how to behave."""

    def __init__(self, source: Source, mood: Callable[[str], None]) -> None:
        self.source = source
        self.mood = mood


@asynccontextmanager
async def fake() -> AsyncIterator[Stage]:
    source = FakeSource(KNOWN)
    yield Stage(source, lambda mood: setattr(source, "mood", mood))


@asynccontextmanager
async def http() -> AsyncIterator[Stage]:
    mood = ["right"]

    async def tell(request: web.Request) -> web.Response:
        if mood[0] == "silent":
            await asyncio.sleep(5)
        if mood[0] == "broken":
            return web.Response(status=500)
        carrier = KNOWN.get("+" + request.match_info["number"])
        return web.Response(status=404) if carrier is None else web.json_response({"carrier": carrier})

    async with served(tell) as url:
        source = HttpSource(url)
        yield Stage(source, lambda word: mood.__setitem__(0, word))
        await source.close()


@asynccontextmanager
async def served(tell: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/carrier/{number}", tell)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/carrier/{{number}}"
    await runner.cleanup()


def text(words: str) -> bytes:
    return bytes((len(words),)) + words.encode()


def record(regexp: str, services: str = "E2U+pstn:tel", order: int = 10, flags: str = "u") -> bytes:
    data = struct.pack("!HH", order, 10) + text(flags) + text(services) + text(regexp) + b"\0"
    return b"\xc0\x0c" + struct.pack("!HHIH", dns.NAPTR, dns.IN, 60, len(data)) + data


def reply(asked: bytes, *records: bytes, rcode: int = 0, flags: int = 0x8180) -> bytes:
    return asked[:2] + struct.pack("!HHHHH", flags | rcode, 1, len(records), 0, 0) + asked[12:] + b"".join(records)


class NameServer(asyncio.DatagramProtocol):
    """Answers NAPTR questions out of `KNOWN`."""

    mood = "right"

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.mood == "silent":
            return
        if self.mood == "broken":
            self.transport.sendto(reply(data, rcode=2), addr)
            return
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        number = "+" + "".join(reversed(labels[:-2]))
        carrier = KNOWN.get(number)
        uri = f"!^.*$!tel:{number};npdi;rn={carrier}!"
        self.transport.sendto(reply(data, record(uri)) if carrier else reply(data, rcode=3), addr)


@asynccontextmanager
async def enum() -> AsyncIterator[Stage]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    host, port = transport.get_extra_info("sockname")
    yield Stage(EnumSource(host, port), lambda mood: setattr(server, "mood", mood))
    transport.close()


@pytest.fixture(params=[fake, http, enum], ids=["fake", "http", "enum"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with request.param() as found:
        yield found


# -- the contract of every source -------------------------------------------------------------------------------------


async def test_a_number_that_is_known_has_its_carrier(stage: Stage) -> None:
    for number, carrier in KNOWN.items():
        assert await stage.source.ask(number) == carrier


async def test_a_number_that_is_not_known_has_none(stage: Stage) -> None:
    assert await stage.source.ask("+84967000112") == ""


async def test_a_service_that_breaks_says_so(stage: Stage) -> None:
    stage.mood("broken")
    with pytest.raises(LookupFailedError):
        await stage.source.ask("+84967000111")
    stage.mood("right")
    assert await stage.source.ask("+84967000111") == "mobifone"


async def test_a_silent_service_can_be_left_and_asked_again(stage: Stage) -> None:
    stage.mood("silent")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await stage.source.ask("+84967000111")
    stage.mood("right")
    assert await stage.source.ask("+84967000111") == "mobifone"


async def test_many_may_ask_at_once(stage: Stage) -> None:
    found = await asyncio.gather(*(stage.source.ask(number) for number in list(KNOWN) * 5))
    assert found == list(KNOWN.values()) * 5


async def test_behind_the_service_every_source_is_the_same(stage: Stage) -> None:
    counted: list[str] = []
    service = LookupService(stage.source, Limits(timeout_ms=LONG_MS, failures=2, pause_s=60), counted.append)
    assert await service.carrier("+84967000111") == "mobifone"
    assert await service.carrier("+84967000111") == "mobifone"
    assert await service.carrier("+84967000112") == ""
    stage.mood("broken")
    assert [await service.carrier(f"+8496700020{n}") for n in range(3)] == ["", "", ""]
    assert counted == ["found", "remembered", "unknown", "failed", "failed", "open"]


# -- HTTP -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "body", "carrier"),
    [
        ("carrier", '{"carrier": " viettel "}', "viettel"),
        ("carrier", '{"carrier": null}', ""),
        ("carrier", "{}", ""),
        ("data.mnp.carrier", '{"data": {"mnp": {"carrier": "04"}}}', "04"),
        ("data.mnp.carrier", '{"data": null}', ""),
    ],
)
async def test_the_carrier_stands_where_the_settings_say(field: str, body: str, carrier: str) -> None:
    async def tell(_request: web.Request) -> web.Response:
        return web.Response(text=body)

    async with served(tell) as url:
        source = HttpSource(url, field)
        assert await source.ask("+84967000111") == carrier
        await source.close()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        '{"carrier": 7}',
        '{"carrier": {}}',
        "[" * 100_000,
        '{"carrier": "' + "x" * ANSWER_BYTES_MAX + '"}',
    ],
    ids=["empty", "no json", "a list", "a number", "a table", "deep", "long"],
)
async def test_an_answer_that_is_none_is_a_failure(body: str) -> None:
    async def tell(_request: web.Request) -> web.Response:
        return web.Response(text=body)

    async with served(tell) as url:
        source = HttpSource(url)
        with pytest.raises(LookupFailedError):
            await source.ask("+84967000111")
        await source.close()


async def test_the_token_is_shown_and_nobody_is_followed_elsewhere() -> None:
    heads: list[str] = []

    async def tell(request: web.Request) -> web.Response:
        heads.append(request.headers.get("Authorization", ""))
        raise web.HTTPFound("http://127.0.0.1:1/elsewhere")

    async with served(tell) as url:
        source = HttpSource(url, token="secret")
        with pytest.raises(LookupFailedError, match="status 302"):
            await source.ask("+84967000111")
        await source.close()
    assert heads == ["Bearer secret"]


async def test_nobody_there_is_a_failure() -> None:
    source = HttpSource("http://127.0.0.1:1/{number}")
    with pytest.raises(LookupFailedError):
        await source.ask("+84967000111")
    await source.close()
    with pytest.raises(LookupFailedError):
        await EnumSource("127.0.0.1", 1).ask("+84967000111")


# -- DNS --------------------------------------------------------------------------------------------------------------

NAME = "1.1.1.0.0.0.7.6.9.4.8.e164.arpa"
ASKED = question(7, NAME)


def test_the_records_of_an_answer_come_in_their_order() -> None:
    packet = reply(ASKED, record("!^.*$!tel:+1!", order=20), record("!^.*$!tel:+2!", order=10))
    assert [row.order for row in answer(packet, 7, NAME)] == [10, 20]
    assert answer(reply(ASKED), 7, NAME) == ()
    assert answer(reply(ASKED, rcode=3), 7, NAME) == ()


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (b"", "cut short"),
        (reply(question(8, NAME)), "something else"),
        (ASKED, "something else"),
        (reply(question(7, "2" + NAME[1:])), "another question"),
        (reply(ASKED, flags=0x8380), "too long for a datagram"),
        (reply(ASKED, rcode=5), "error 5"),
        (reply(ASKED, record("!^.*$!tel:+1!"))[:-3], "cut short"),
        (reply(ASKED, record("!^.*$!tel:+1!")[:20]), "cut short"),
        (reply(ASKED, b"\x41" * 400), "none"),
        (reply(ASKED, b"\x01a" * 400), "without an end"),
    ],
)
def test_what_is_no_answer_is_refused(packet: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        answer(packet, 7, NAME)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 80), st.integers(0, 255))
def test_no_datagram_breaks_the_reader(tail: bytes, at: int, byte: int) -> None:
    whole = bytearray(reply(ASKED, record("!^.*$!tel:+84967000111;rn=8404!"), tail))
    whole[12 + len(NAME) + min(at, len(whole) - 13 - len(NAME))] = byte
    for packet in (tail, ASKED[:2] + tail, bytes(whole)):
        try:
            found = answer(packet, 7, NAME)
        except MalformedError:
            continue
        assert isinstance(carrier_of(found, "rn"), str)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64, ".".join("ab" * 90)])
def test_what_is_no_name_cannot_be_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match=r"no name|encode"):
        question(1, name)


@pytest.mark.parametrize(
    ("regexp", "services", "flags", "carrier"),
    [
        ("!^.*$!tel:+84967000111;npdi;rn=8404!", "E2U+pstn:tel", "u", "8404"),
        ("!^.*$!tel:+84967000111;rn=+848404;npdi!", "e2u+PSTN:tel", "U", "848404"),
        ("#^.*$#tel:+84967000111;npdi#", "E2U+pstn:tel", "u", ""),
        ("!^.*$!sip:x@y;rn=1!", "E2U+sip", "u", ""),
        ("!^.*$!tel:+1;rn=1!", "E2U+pstn:tel", "s", ""),
        ("!^.*$", "E2U+pstn:tel", "u", ""),
        ("", "E2U+pstn:tel", "u", ""),
    ],
)
def test_what_an_enum_record_says_of_the_carrier(regexp: str, services: str, flags: str, carrier: str) -> None:
    assert carrier_of((Naptr(1, 1, flags, services, regexp),), "rn") == carrier


def test_another_parameter_may_name_the_carrier() -> None:
    rows = (Naptr(1, 1, "u", "E2U+pstn:tel", "!^.*$!tel:+1;rn=1;spn=Viettel!"),)
    assert carrier_of(rows, "spn") == "Viettel"


async def test_a_datagram_of_somebody_else_is_passed_over() -> None:
    class Liar(NameServer):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            wrong = bytes((data[0] ^ 1, data[1])) + data[2:]
            self.transport.sendto(reply(wrong, record("!^.*$!tel:+1;rn=liar!")), addr)
            super().datagram_received(data, addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Liar, local_addr=("127.0.0.1", 0))
    host, port = transport.get_extra_info("sockname")
    assert await EnumSource(host, port).ask("+84967000111") == "mobifone"
    transport.close()


# -- deadline, memory, breaker ----------------------------------------------------------------------------------------


class Time:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def service(source: FakeSource, **limits: Any) -> tuple[LookupService, Time, list[str]]:
    clock, counted = Time(), list[str]()
    return LookupService(source, Limits(**{"timeout_ms": LONG_MS} | limits), counted.append, clock), clock, counted


async def test_a_call_never_waits_longer_than_the_deadline() -> None:
    source = FakeSource(KNOWN)
    source.mood = "silent"
    asked, _, counted = service(source, timeout_ms=20)
    async with asyncio.timeout(30):
        assert await asked.carrier("+84967000111") == ""
    assert counted == ["failed"]
    assert asked.health.trouble == "no answer within 20 ms"


def test_the_longest_deadline_ends_before_the_dial_path_gives_up() -> None:
    assert scripts.LOOKUP_S * 1000 > LOOKUP_MAX_MS >= Lookup().timeout_ms


async def test_answers_are_remembered_for_their_time_and_unknown_ones_for_less() -> None:
    source = FakeSource(KNOWN)
    asked, clock, _ = service(source, cache_s=3_600)
    for _ in range(3):
        await asked.carrier("+84967000111")
        await asked.carrier("+84967000999")
    assert len(source.asked) == 2
    clock.now_s += UNKNOWN_S + 1
    await asked.carrier("+84967000999")
    await asked.carrier("+84967000111")
    assert source.asked[2:] == ["+84967000999"]
    clock.now_s += 3_600
    await asked.carrier("+84967000111")
    assert source.asked[3:] == ["+84967000111"]


async def test_memory_is_bounded_and_the_oldest_goes() -> None:
    source = FakeSource(KNOWN)
    asked, _, _ = service(source, cache_max=3)
    for n in range(5):
        await asked.carrier(f"+8496700000{n}")
    assert asked.health.cached == 3
    await asked.carrier("+84967000004")
    await asked.carrier("+84967000000")
    assert source.asked[5:] == ["+84967000000"]


async def test_the_breaker_opens_probes_and_closes() -> None:
    source = FakeSource(KNOWN)
    asked, clock, counted = service(source, failures=3, pause_s=30, cache_s=0)
    source.mood = "broken"
    for _ in range(5):
        await asked.carrier("+84967000111")
    assert counted == ["failed"] * 3 + ["open"] * 2
    assert asked.health.state is State.OPEN
    clock.now_s += 31
    assert asked.health.state is State.HALF_OPEN
    await asked.carrier("+84967000111")
    await asked.carrier("+84967000111")
    assert counted[5:] == ["failed", "open"], "one probe, and it failed"
    source.mood = "right"
    clock.now_s += 31
    assert await asked.carrier("+84967000111") == "mobifone"
    assert asked.health.state is State.CLOSED
    assert await asked.carrier("+84912345678") == "Viettel Telecom"


async def test_only_one_probe_goes_out_at_a_time() -> None:
    source = FakeSource(KNOWN)
    asked, clock, counted = service(source, failures=1, pause_s=30, timeout_ms=50)
    source.mood = "broken"
    await asked.carrier("+84967000111")
    clock.now_s += 31
    source.mood = "silent"
    await asyncio.gather(*(asked.carrier("+84967000111") for _ in range(5)))
    assert sorted(counted[1:]) == ["failed", "open", "open", "open", "open"]


async def test_a_call_that_goes_away_leaves_nothing_behind() -> None:
    source = FakeSource(KNOWN)
    source.mood = "silent"
    asked, _, _ = service(source, failures=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await asked.carrier("+84967000111")
    assert (asked.health.asking, asked.health.state) == (0, State.OPEN)


async def test_more_than_so_many_questions_at_once_are_not_asked() -> None:
    source = FakeSource(KNOWN)
    source.mood = "silent"
    asked, _, counted = service(source, timeout_ms=100, failures=1_000)
    await asyncio.gather(*(asked.carrier(f"+8496700{n:04}") for n in range(ASKING_MAX + 9)))
    assert counted.count("busy") == 9
    assert asked.health.asking == 0


async def test_what_a_service_says_is_cut_to_a_name() -> None:
    source = FakeSource({"+84967000111": "Viet\x00tel\r\n" + "x" * 300})
    asked, _, _ = service(source)
    found = await asked.carrier("+84967000111")
    assert found.isprintable()
    assert len(found) <= 64


@given(st.lists(st.sampled_from(["ask", "right", "wrong", "wait"]), max_size=40))
def test_a_breaker_lets_nobody_through_while_it_is_open(moves: list[str]) -> None:
    breaker, now_s, out = Breaker(2, 10.0), 0.0, 0
    for move in moves:
        if move == "ask":
            state = breaker.state(now_s)
            passed = breaker.may_ask(now_s)
            assert not (passed and state is State.OPEN)
            out += passed
        elif move == "wait":
            now_s += 6.0
        elif out:
            out -= 1
            breaker.succeeded() if move == "right" else breaker.failed(now_s)
            assert move == "wrong" or breaker.state(now_s) is State.CLOSED


# -- the order --------------------------------------------------------------------------------------------------------


def chain(found: tuple[str, str] | Exception, source: FakeSource | None, setup: Setup | None = None) -> Chain:
    async def books(_number: str) -> tuple[str, str]:
        if isinstance(found, Exception):
            raise found
        return found

    asked = LookupService(source, Limits(timeout_ms=LONG_MS)) if source else None
    return Chain(books, lambda: setup or Setup(), asked)


async def test_the_books_win_over_the_service_which_is_then_not_asked() -> None:
    source = FakeSource(KNOWN)
    for told in (("viettel", "ported"), ("viettel", "override")):
        assert await chain(told, source).look_up("0967000111") == told
    assert source.asked == []
    assert await chain(("", ""), source).look_up("0967000111") == ("mobifone", "lookup")
    assert await chain(("", ""), None).look_up("0967000111") == ("", "")


@pytest.mark.parametrize("number", ["02439361234", "19001234", "113", "+14155552671", "nobody", "09670001"])
async def test_the_service_is_asked_for_mobile_numbers_only(number: str) -> None:
    source = FakeSource(KNOWN)
    assert await chain(("", ""), source).look_up(number) == ("", "")
    assert source.asked == []


async def test_elsewhere_landlines_are_ported_too_and_the_service_is_asked_for_them() -> None:
    """Found: in North America every number may be a landline by its form, so the service was never asked at all."""
    source = FakeSource({"+14155552671": "mobifone"})
    abroad = Setup(defaults=Defaults(country="US"))
    assert await chain(("", ""), source, abroad).look_up("(415) 555-2671") == ("mobifone", "lookup")
    assert await chain(("", ""), source, abroad).look_up("911") == ("", "")
    assert source.asked == ["+14155552671"]


async def test_what_the_setup_says_itself_needs_no_service() -> None:
    source = FakeSource(KNOWN)
    setup = Setup(ported=(Ported("+84967000111", "viettel"),))
    assert await chain(("", ""), source, setup).look_up("0967000111") == ("", "")
    assert source.asked == []


async def test_books_that_fail_cost_no_call() -> None:
    assert await chain(LedgerError("gone"), FakeSource(KNOWN)).look_up("0967000111") == ("mobifone", "lookup")
    assert await chain(LedgerError("gone"), None).look_up("0967000111") == ("", "")


async def test_the_settings_say_which_service_there_is() -> None:
    assert service_of(Lookup(), lambda _outcome: None) is None
    made = service_of(Lookup(kind="http", url="http://127.0.0.1:1/{number}"), lambda _outcome: None)
    assert isinstance(made and made._source, HttpSource)
    await chain(("", ""), None).close()
    async with http() as stage:
        url = stage.source._url  # type: ignore[attr-defined]
        made = service_of(Lookup(kind="http", url=url, timeout_ms=LONG_MS), lambda _outcome: None)
        assert made
        assert await made.carrier("+84967000111") == "mobifone"
        await made.close()
    named = service_of(Lookup(kind="enum", server=Bind("127.0.0.1", 5353), zone="mnp.example"), lambda _outcome: None)
    assert named
    assert named._source.__dict__ == {"_server": ("127.0.0.1", 5353), "_zone": "mnp.example", "_field": "rn"}
