"""One golden story per path, told with SIPp alone: phones, callers and carriers that are not ours."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controller.lab import phones, sip
from controller.lab.scenarios import Calling, Taking
from tests.live.floor import CARRIERS, CUSTOMER, CUSTOMER_HZ, PASSWORD, Floor, agent_hz
from tests.live.harness import Json, until
from tests.live.setups import HOTLINE, hotline, menu, queue, table, whole

pytestmark = pytest.mark.live

MENU = "+842473001081"
SETUP = whole(
    hotline(queue="sales", outbound=True),
    hotline(MENU, menu="main"),
    menu("main", timeout=5, keys={"1": {"queue": "sales"}}, on_timeout="hangup"),
    queue("sales", "team", wrap_up=1),
    table("adaptive", {"name": "auto", "fallback": HOTLINE}),
    groups={"team": ("a1", "a2")},
    agents={"a1": {"outbound_with": "auto"}},
)


class Bench:
    """SIPp processes of one test, all ended after it."""

    def __init__(self, floor: Floor, directory: Path) -> None:
        self.floor, self.directory = floor, directory
        self.running: list[phones.Sipp] = []

    def agent(self, name: str, rule: Taking) -> phones.Sipp:
        tone = phones.tone_file(self.directory, agent_hz(name))
        rule = Taking(rule.status, rule.after_ms, rule.talk_ms, rule.silent, tone)
        return self._keep(phones.phone(self.floor.lab.sip, name, PASSWORD, rule, self.directory))

    def carrier(self, name: str, rule: Taking) -> phones.Sipp:
        at = (CARRIERS[name], self.floor.lab.trunk_port)
        return self._keep(phones.carrier(f"carrier-{name}", at, self.floor.lab.sip, rule, self.directory))

    def caller(self, number: str, **rule: object) -> phones.Sipp:
        tone = phones.tone_file(self.directory, CUSTOMER_HZ)
        calling = Calling(number, CUSTOMER, tone=tone, **rule)
        at = (CARRIERS["viettel"], phones.free_port(CARRIERS["viettel"]))
        return self._keep(
            phones.caller(f"caller-{len(self.running)}", self.floor.lab.sip, calling, self.directory, at=at)
        )

    def _keep(self, one: phones.Sipp) -> phones.Sipp:
        self.running.append(one)
        return one


@pytest.fixture
async def bench(floor: Floor, sipp_dir: Path):
    found = Bench(floor, sipp_dir)
    yield found
    for one in found.running:
        one.stop()


async def _ready(floor: Floor, *names: str) -> None:
    for name in names:
        await floor.api.status(name, "available")
        await floor.state(name, "ready")


async def _fine(one: phones.Sipp, seconds: float = 90.0) -> None:
    assert await asyncio.to_thread(one.wait, seconds) == 0, one.errors()


async def test_inbound_answered(bench: Bench, floor: Floor) -> None:
    agent = bench.agent("a1", Taking(after_ms=200, talk_ms=700))
    await _ready(floor, "a1")
    caller = bench.caller(HOTLINE)
    await _fine(caller)
    ended = await floor.ended()
    assert (ended["result"], ended["agent"], ended["end_cause"]) == ("answered", "a1", "agent")
    assert sip.user_of(agent.received("INVITE")[0].get("From")).endswith("281234567")
    await floor.state("a1", "wrap_up")
    await floor.state("a1", "ready")
    names = [line["name"] for line in await floor.api.story(ended["id"]) if line["kind"] == "fact"]
    told = [name for name in names if name != "AgentChanged"]
    assert told == ["CallStarted", "CallQueued", "CallOffered", "CallAnswered", "CallEnded"]


async def test_inbound_declined_then_answered(bench: Bench, floor: Floor) -> None:
    bench.agent("a1", Taking(status=603, after_ms=100))
    bench.agent("a2", Taking(after_ms=100, talk_ms=500))
    await _ready(floor, "a1", "a2")
    await _fine(bench.caller(HOTLINE))
    ended = await floor.ended()
    assert (ended["result"], ended["agent"]) == ("answered", "a2")
    story = await floor.api.story(ended["id"])
    assert [line["body"]["outcome"] for line in story if line["name"] == "OfferEnded"] == ["declined"]


async def test_inbound_abandoned(bench: Bench, floor: Floor) -> None:
    bench.agent("a1", Taking(status=0))
    await _ready(floor, "a1")
    await _fine(bench.caller(HOTLINE, talk_ms=800))
    ended = await floor.ended()
    assert (ended["result"], ended["end_cause"]) == ("missed", "caller")
    await floor.state("a1", "ready")


async def test_menu_by_info_to_an_agent(bench: Bench, floor: Floor) -> None:
    bench.agent("a1", Taking(after_ms=100, talk_ms=500))
    await _ready(floor, "a1")
    await _fine(bench.caller(MENU, keys=((300, "1"),)))
    ended = await floor.ended()
    assert (ended["result"], ended["hotline"], ended["queue"]) == ("answered", MENU, "sales")


async def test_outbound_through_an_adaptive_number(bench: Bench, floor: Floor) -> None:
    carrier = bench.carrier("viettel", Taking(after_ms=100, talk_ms=500))
    port = phones.free_port()
    at = ("127.0.0.1", port)
    phones.register(floor.lab.sip, "a1", PASSWORD, at, bench.directory)
    await _ready(floor, "a1")
    rule = Calling("0967000111", "a1", digest=True, tone=phones.tone_file(bench.directory, agent_hz("a1")))
    dialling = phones.caller("a1-dials", floor.lab.sip, rule, bench.directory, at=at, user="a1", password=PASSWORD)
    bench.running.append(dialling)
    await _fine(dialling)
    invite = carrier.received("INVITE")[0]
    assert sip.user_of(invite.get("From")).lstrip("+").removeprefix("84").endswith("2473001001")

    async def ended() -> list[Json]:
        return await floor.api.calls("ended", since=floor.began, direction="outbound")

    row = (await until(ended, "the outbound call in the history"))[0]
    assert (row["result"], row["trunk"]) == ("answered", "viettel")
