"""The faults that are shown in the simulator, each a test with its pass figure; `make sim FAULT=… SEEDS=n` runs more.

The numbers are those of docs/simulation.md. What a commit runs is a portion: the programmes of `tests.sim.run` take any
number of seeds.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from controller.core import events, facts, ids
from controller.core.model import Alert, Phase
from controller.core.setup import Setup, Strategy, Webhook
from controller.notify import QUEUE_MAX, Notice, WebhookBell
from controller.ports import Said
from tests import virtual_time
from tests.core import setups
from tests.sim.life import Ears
from tests.sim.rude import RudeEars
from tests.sim.run import JOINTS, Result, play, simulate
from tests.sim.switch import Channel
from tests.sim.town import Shape, Town

pytestmark = pytest.mark.sim

CALM = Shape(4, 0.5, rude=False, faults=False)
RING_S = 15


def shown(fault: str, asked: str = "S always, L ≤ 60 s after faults stop") -> Any:
    """A fault as a case, and what it shows."""
    return pytest.param(fault, marks=pytest.mark.shows(fault, "bad days of its kind, simulated", asked))


def well(result: Result) -> Result:
    assert not result.breaches, "\n".join([result.line, *result.breaches, *result.trace[-40:]])
    return result


def scene(setup: Setup, work: Any, seed: int = 1, **more: Any) -> Result:
    """Play a scene by hand in a town where nothing happens by itself."""
    return well(play(lambda: Town(seed, CALM, setup, **more), work))


def said(town: Town, kind: type, **like: object) -> list[Said]:
    found = [row for row in town.books.facts.values() if isinstance(row.fact, kind)]
    return [row for row in found if all(getattr(row.fact, key) == value for key, value in like.items())]


async def until(true: Any, within_s: float = 2.0) -> None:
    """Look every millisecond, which costs no time at all."""
    until_s = asyncio.get_running_loop().time() + within_s
    while not true():
        assert asyncio.get_running_loop().time() < until_s, "it never came"
        await asyncio.sleep(0.001)


async def leg_of(town: Town, agent: str, within_s: float = 2.0) -> Channel:
    """The leg that rings at this phone."""
    until_s = asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < until_s:
        found = [leg for leg in town.switch.on_phone(agent) if ids.parse(leg.id)]
        if found and found[0].dialled:
            return found[0]
        await asyncio.sleep(0.001)
    raise AssertionError(f"the phone of {agent} does not ring")


# -- F3 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("F3", "killed at each of five joints, simulated", "S and L hold, no fact twice or missing")
@pytest.mark.parametrize("state", range(6))
@pytest.mark.parametrize("joint", range(len(JOINTS)), ids=JOINTS)
def test_f3_killed_at_every_joint_nothing_is_said_twice_or_lost(state, joint):
    assert well(simulate(state * len(JOINTS) + joint, programme="F3")).starts == 2


# -- F10 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("F11", "books away, the leader killed or replaced meanwhile, simulated", "nothing said is lost")
@pytest.mark.parametrize("seed", range(8))
def test_f11_what_was_said_while_the_books_were_away_is_on_them_whatever_becomes_of_who_said_it(seed):
    assert well(simulate(seed, 60.0, "F11")).starts >= 3


@pytest.mark.shows("F10", "second controllers one after the other, simulated", "S and L hold, no fact twice or missing")
@pytest.mark.parametrize("seed", range(3))
def test_f10_a_second_controller_goes_on_where_the_first_was_shut_out(seed):
    """Between its look at the books and its first step the first one hears callers, and may write nothing of it."""
    assert well(simulate(seed, 60.0, "F10")).starts >= 4


# -- F16 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("F16", "days with a stepped clock, simulated", "story order kept")
@pytest.mark.parametrize("seed", range(4))
def test_f16_a_stepped_clock_disturbs_no_story(seed):
    well(simulate(seed, 120.0, "F16"))


@pytest.mark.shows("F16", "steps of a second, an hour, a day, simulated", "≤ 1 s, no alert, one ClockMoved")
@pytest.mark.parametrize("step_ms", [1_000, -1_000, 3_600_000, -3_600_000, 86_400_000, -86_400_000])
def test_f16_a_talk_is_as_long_as_it_was(step_ms):
    """Errors of at most a second, no storm of alerts, and one message that the clock was moved."""
    moved: list[int] = []

    async def work(town: Town) -> None:
        look = town.watch.look

        def seen(life: Any, engine: Any, event: events.Event, done: Any) -> None:
            if isinstance(event, events.ClockMoved):
                moved.append(event.delta_ms)
            look(life, engine, event, done)

        town.life.on_step = seen
        caller = town.dialplan.call_in("v1", setups.SALES, setups.STRANGER)
        town.switch.change(await leg_of(town, "an"), "Up")
        await asyncio.sleep(10)
        town.clock.offset_ms += step_ms
        await asyncio.sleep(10)
        town.switch.gives_up(caller)
        await asyncio.sleep(1)
        (end,) = said(town, facts.CallEnded)
        talked_ms = end.fact.ended_at_ms - (end.fact.answered_at_ms or 0)
        assert abs(talked_ms - 20_000) <= 1_000
        assert not said(town, facts.AlertRaised)

    hotline = replace(setups.small().hotlines[0], notify_answer_time=60, notify_talk_time=600)
    scene(setups.small("an", hotline=hotline), work)
    assert moved == [pytest.approx(step_ms, abs=5)]


def test_a_world_is_kept_out_of_the_collector_s_sight_once_a_life_however_often_the_stream_is_cut(monkeypatch):
    """A search for garbage at each return would take the time that is short already, and what it keeps would add up."""
    searched: list[float] = []
    monkeypatch.setattr("controller.link.set_aside", lambda: searched.append(asyncio.get_running_loop().time()))

    async def work(town: Town) -> None:
        for _ in range(3):
            await until(lambda: town.life.ready, 10)
            town.socket_cut(half_open=False)
            await until(lambda: not town.life.ready, 10)
        await until(lambda: town.life.ready, 10)
        assert len(searched) == 1

    scene(setups.small("an"), work)


# -- F18, F19, F20: one offer and what may cross it --------------------------------------------------------------------


@pytest.mark.shows("F18", "the next agent rings after the ring time, the place is kept, simulated", "≤ 200 ms")
def test_f18_who_does_not_answer_costs_the_caller_nothing_but_the_ring_time():
    """The next agent rings within 200 ms of the end of the ring time, and the caller keeps the place."""

    async def work(town: Town) -> None:
        loop = asyncio.get_running_loop()
        town.dialplan.call_in("v1", setups.SALES, setups.STRANGER)
        first = await leg_of(town, "an")
        town.switch.change(first, "Ringing")
        began_s = loop.time()
        await leg_of(town, "binh", RING_S + 2)
        assert loop.time() - began_s <= RING_S + 0.2
        second = town.dialplan.call_in("v1", setups.SALES, setups.STRANGER)
        await asyncio.sleep(0.1)
        world = town.life.engine.world
        places = [world.position(call) for call in world.calls.values()]
        assert places == [1, 2]
        assert second.id == list(world.calls)[1]
        assert [row.fact.outcome for row in said(town, facts.OfferEnded)] == ["no_answer"]

    scene(setups.small("an", "binh", strategy=Strategy.LINEAR, ring_time=RING_S), work)


@pytest.mark.shows("F18", "auto-pause: not ready after two that rang out, simulated", "counted; paused after N")
def test_f18_who_lets_calls_ring_out_is_paused_and_the_caller_waits_on():
    """The only agent rings out twice: not ready, with the reason, and the caller keeps the place."""

    async def work(town: Town) -> None:
        town.dialplan.call_in("v1", setups.SALES, setups.STRANGER)
        for _ in range(2):
            town.switch.change(await leg_of(town, "an", 4.0), "Ringing")
            await asyncio.sleep(RING_S + 1)
        await asyncio.sleep(5)
        world = town.life.engine.world
        assert [row.fact.outcome for row in said(town, facts.OfferEnded)] == ["no_answer"] * 2
        assert (world.agents["an"].status, world.agents["an"].reason) == ("not_ready", "no_answer")
        assert [world.position(call) for call in world.calls.values()] == [1]

    scene(setups.small("an", ring_time=RING_S, pause_after=2), work)


class Gate(RudeEars):
    """Lets nothing about one leg through until it is told which."""

    def __init__(self, town: Town) -> None:
        super().__init__(town.dice, town.ears.manners)
        self.leg = ""
        self.open: dict[str, None] = {}
        self.waiting: list[tuple[events.Event, Any]] = []

    def hear(self, event: events.Event, on: Any) -> None:
        kind = type(event).__name__
        if self.leg and getattr(event, "leg", "") == self.leg and kind not in self.open:
            self.waiting.append((event, on))
        else:
            on(event)

    def let(self, kind: str) -> None:
        self.open[kind] = None
        for event, on in [row for row in self.waiting if type(row[0]).__name__ == kind]:
            self.waiting.remove((event, on))
            on(event)


async def ring_time_over(town: Town, leg: Channel) -> None:
    offers = [row for call in town.life.engine.world.calls.values() for row in call.offers if row.leg == leg.id]
    if offers:
        await asyncio.sleep(max(0.0, (offers[0].until_ms - town.clock.now_ms()) / 1000) + 0.001)


async def gone(town: Town, gate: Gate, leg: Channel, *, early: bool) -> None:
    gate.let("LegGone")
    if early:
        town.switch.hang_up(leg)


async def done(_: object) -> None:
    """It was done already."""


@pytest.mark.shows(
    "F19", "orders of ring time over, answered, hang-up, gone, simulated", "exactly one outcome, in all 24"
)
@pytest.mark.parametrize("order", list(permutations("RAHG")), ids="".join)
def test_f19_an_answer_in_the_instant_the_ring_time_ends_has_one_outcome(order):
    """R ring time over, A answered is heard, H the hang-up is carried out, G the leg's end is heard: all 24 orders."""

    async def work(town: Town) -> None:
        gate = Gate(town)
        town.life._ears = gate
        asked, let_hang_up = town.switch.request, asyncio.Event()

        async def request(operation: str, given: dict[str, Any]) -> Any:
            if operation == "channels.hangup" and given["channelId"] == gate.leg:
                await asyncio.wait_for(let_hang_up.wait(), 1.5)
            return await asked(operation, given)

        town.switch.request = request  # type: ignore[method-assign]  # the hang-up is held on its way
        town.dialplan.call_in("v1", setups.SALES, setups.STRANGER)
        leg = await leg_of(town, "an")
        gate.leg = leg.id
        town.switch.change(leg, "Ringing")
        gate.let("LegRinging")
        await asyncio.sleep(RING_S - 0.35)
        town.switch.change(leg, "Up")
        moments = {
            "R": lambda: ring_time_over(town, leg),
            "A": lambda: done(gate.let("LegAnswered")),
            "H": lambda: done(let_hang_up.set()),
            "G": lambda: gone(town, gate, leg, early=order.index("G") < order.index("H")),
        }
        for moment in order:
            await moments[moment]()
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        call = next(iter(town.life.engine.world.calls.values()), None)
        talks_with_an = call is not None and call.phase is Phase.TALKING and call.leg == leg.id
        assert talks_with_an == (leg.id in town.switch.channels)
        for members in town.switch.bridges.values():
            assert len(members) <= 2
        outcomes = [*said(town, facts.OfferEnded, leg=leg.id), *said(town, facts.CallAnswered, agent="an")]
        assert len(outcomes) == 1, "exactly one"

    scene(setups.small("an", "binh", strategy=Strategy.LINEAR, ring_time=RING_S), work)


@pytest.mark.shows("F20", "who is first, simulated", "leg down ≤ 500 ms, one record")
@pytest.mark.parametrize("first", ["caller", "agent"])
def test_f20_a_caller_who_leaves_while_the_agent_answers_leaves_no_leg_behind(first):
    """The leg is down within 500 ms; an agent who answered nobody does not rest; there is one record."""

    async def work(town: Town) -> None:
        caller = town.dialplan.call_in("v1", setups.SALES, setups.STRANGER)
        leg = await leg_of(town, "an")
        acts = [lambda: town.switch.gives_up(caller), lambda: town.switch.change(leg, "Up")]
        for act in acts if first == "caller" else reversed(acts):
            act()
        await asyncio.sleep(0.5)
        assert leg.id not in town.switch.channels
        assert not town.switch.bridges
        (end,) = said(town, facts.CallEnded)
        answered = end.fact.answered_at_ms is not None
        assert answered == (first == "agent")
        resting = town.life.engine.world.agents["an"].wrap_up_until_ms is not None
        assert resting == answered

    scene(setups.small("an", wrap_up=5), work)


# -- F22 to F25, F27, F34: programmes ----------------------------------------------------------------------------------


@pytest.mark.shows("F22", "ten of twenty phones, simulated", "L1–L4 ≤ 60 s")
@pytest.mark.parametrize("seed", range(4))
def test_f22_ten_of_twenty_phones_vanish_and_return_in_another_order(seed):
    well(simulate(seed, programme="F22"))


class Twice(Ears):
    """Every event one to five times, at once. A key is a key each time: only the ARI room knows an echo of one."""

    def __init__(self) -> None:
        self.count = 0

    def hear(self, event: events.Event, on: Any) -> None:
        self.count += 1
        for _ in range(1 if isinstance(event, events.DigitPressed) else 1 + self.count % 5):
            on(event)


@pytest.mark.shows("F23", "days told one to five times, simulated", "facts of the clean day")
@pytest.mark.parametrize("level", ["messages", "events"])
@pytest.mark.parametrize("seed", range(3))
def test_f23_what_is_told_one_to_five_times_changes_nothing(seed, level):
    """Every fact is that of the clean day, OddEvent aside: copies on the wire, and copies behind the ARI room."""
    shape = Shape(8, 0.4, 90.0, rude=False, faults=False)
    days: list[list[object]] = []

    def day(ears: Ears | None) -> None:
        async def work(town: Town) -> None:
            if ears is not None and level == "events":
                town.life._ears = ears
            elif ears is not None:
                town.switch.apps["tongdai"].copies = 5
            await town.live(shape.seconds)
            days.append([row.fact for row in town.books.facts.values() if not isinstance(row.fact, facts.OddEvent)])

        well(play(lambda: Town(seed, shape), work))

    repeated = Twice()
    day(None)
    day(repeated)
    assert level == "messages" or repeated.count > 100
    assert days[0] == days[1]


@pytest.mark.parametrize(
    "fault", [shown("F24", "S always, L after the next audit"), shown("F25"), shown("F27"), shown("F34")]
)
@pytest.mark.parametrize("seed", range(4))
def test_bad_days_of_one_kind_end_well(fault, seed):
    well(simulate(seed, 90.0, fault))


@pytest.mark.shows(
    "F27", "a queue deleted with callers, simulated", "overflow in the same step, ≤ 500 ms, talkers untouched"
)
def test_f27_a_queue_that_goes_sends_its_callers_on_in_the_same_step_and_talkers_talk_on():
    whole = setups.whole()

    async def work(town: Town) -> None:
        talker = town.dialplan.call_in("v1", setups.SALES, setups.STRANGER)
        await asyncio.sleep(0.1)
        leg = next(leg for leg in town.ringing.values())
        town.switch.change(leg, "Up")
        await asyncio.sleep(0.2)
        for row in whole.agents:
            town.life.ask(events.AgentStatusAsked(row.name, "not_ready"))
        await asyncio.sleep(0.1)
        waiter = town.dialplan.call_in("v1", setups.SALES, "0967000002")
        await asyncio.sleep(0.2)
        asked_s = asyncio.get_running_loop().time()
        town.life.change_setup(replace(whole, queues=whole.queues[1:], version=2))
        await asyncio.sleep(0.5)
        (applied,) = said(town, facts.SetupApplied, version=2)
        (routed,) = said(town, facts.CallRouted, call=waiter.id, why="queue_removed")
        assert routed.at_ms == applied.at_ms
        assert applied.at_ms - (town.clock.offset_ms + asked_s * 1000) <= 500
        assert town.switch.bridges[ids.bridge(talker.id)] == {talker.id: None, leg.id: None}

    scene(whole, work)


# -- F30, Z5 -----------------------------------------------------------------------------------------------------------


class Deaf(WebhookBell):
    """The bell with a receiver that takes nothing, each try lasting as long as it may."""

    def __init__(self) -> None:
        super().__init__()
        self.up = False
        self.seen: list[Notice] = []

    async def _post(self, notice: Notice) -> str:
        if self.up:
            self.seen.append(notice)
            return ""
        await asyncio.sleep(5)
        return "TimeoutError"


@pytest.mark.shows("F30", "a receiver away for an hour, simulated", "calls unhurt, ≤ 1,000 notices kept")
def test_f30_a_receiver_that_is_away_for_an_hour_costs_the_calls_nothing():
    """The queue holds a thousand notices, the oldest go and are counted, and the newest arrive when it is back."""
    bell = Deaf()
    webhook = (Webhook("bell", "http://127.0.0.1:9/alerts"),)
    hotline = replace(setups.small().hotlines[0], notify_answer_time=1)

    async def work(town: Town) -> None:
        running = asyncio.create_task(bell.run())
        for minute in range(60):
            caller = town.dialplan.call_in("v1", setups.SALES, setups.STRANGER)
            leg = await leg_of(town, "an")
            for n in range(50):
                alert = Alert(f"{minute}.{n}.talk_time", "talk_time", f"{minute}.{n}", setups.SALES, "", "", 1, 0)
                bell.ring(alert, "raised", town.whole)
            assert bell.queued <= QUEUE_MAX
            await asyncio.sleep(2)
            answered_s = asyncio.get_running_loop().time()
            town.switch.change(leg, "Up")
            await until(lambda minute=minute: len(said(town, facts.CallAnswered)) > minute)
            assert asyncio.get_running_loop().time() - answered_s < 0.05
            town.switch.gives_up(caller)
            await asyncio.sleep(58)
        assert len(said(town, facts.AlertRaised)) == 60
        assert bell.dropped > 1_900
        bell.up = True
        await asyncio.sleep(120)
        assert bell.queued == 0
        assert len(bell.seen) >= QUEUE_MAX - 1
        running.cancel()

    scene(replace(setups.small("an", hotline=hotline), webhooks=webhook), work, bell=bell)


@pytest.mark.shows(
    "Z5", "100 keys a second for a minute, simulated", "a listed end, ≤ 64 choices, others wait no longer"
)
@pytest.mark.parametrize("digits", ["0123456789*#", "5", "9", "*#ABCD", "2"])
def test_z5_a_flood_of_keys_ends_in_a_listed_place_and_holds_nobody_up(digits):
    """100 keys a second for 60 s, before, during and after prompts and after the hang-up; others wait no longer."""

    async def work(town: Town) -> None:
        loop = asyncio.get_running_loop()
        flooded = town.dialplan.call_in("v1", setups.MENU, setups.STRANGER)
        other_s: list[float] = []
        for n in range(6_000):
            town.switch.press(flooded, digits[n % len(digits)])
            await asyncio.sleep(0.01)
            if n % 1_000 == 500:
                began_s = loop.time()
                caller = town.dialplan.call_in("v1", setups.SUPPORT, "0967000002")
                await until(lambda caller=caller: bool(said(town, facts.CallQueued, call=caller.id)))
                other_s.append(loop.time() - began_s)
                town.switch.gives_up(caller)
        assert max(other_s) < 0.05
        town.switch.gives_up(flooded)
        await asyncio.sleep(1)
        (end,) = said(town, facts.CallEnded, call=flooded.id)
        assert end.fact.result in {"stopped_at_menu", "missed", "answered", "voicemail", "blocked"}
        chosen = said(town, facts.MenuChosen, call=flooded.id)
        assert len(chosen) <= 64

    scene(setups.whole(), work)


def test_the_clock_of_the_simulator_is_not_the_machines():
    async def hour() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(hour()) == pytest.approx(3600)
