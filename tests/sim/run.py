"""One seed, one day: a programme lets a town live with its faults and heals it; the result says what broke.

`PROGRAMMES` are what `make sim` can run: `day` is everything by the weights of docs/simulation.md, the others are the
faults of the same names.
"""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from random import Random

import structlog

from tests import virtual_time
from tests.sim import centre
from tests.sim.life import Joint
from tests.sim.rude import Manners
from tests.sim.town import Shape, Town, sized

SECONDS = 240.0
BUILDING_S = 0.3
JOINTS = tuple(Joint)
OnLine = Callable[[str], None]
Work = Callable[[Town], Awaitable[None]]


@dataclass
class Result:
    """What became of one seed. `breaches` are empty when all is well; `hours` are simulated."""

    seed: int
    programme: str = "day"
    hours: float = 0.0
    steps: int = 0
    calls: int = 0
    starts: int = 0
    breaches: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    odd: dict[str, int] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The one line that shows it again."""
        at_s = self.breaches[0].split(" ")[0] if self.breaches else "0"
        which = "" if self.programme == "day" else f" FAULT={self.programme}"
        return f"make sim{which} SEED={self.seed} TO={float(at_s) + 0.1:.1f}"


def quiet() -> None:
    """No log lines: the trace tells more."""
    structlog.configure(processors=[_drop])


def _drop(*_: object) -> object:
    raise structlog.DropEvent


def simulate(seed: int, seconds: float = SECONDS, programme: str = "day", on_line: OnLine | None = None) -> Result:
    """The whole of one programme for one seed."""
    return replace(PROGRAMMES[programme](seed, seconds, on_line), programme=programme)


def play(town: Callable[[], Town], work: Work, on_line: OnLine | None = None, heal: bool = True) -> Result:
    """Open a town, do the work, let the faults end and ask for liveness; all on virtual time."""
    quiet()
    try:
        return virtual_time.run(_play(town, work, on_line, heal))
    finally:
        # Each life of a daemon keeps its world out of the collector's sight for good: a process has many lives here.
        gc.unfreeze()


async def _play(make: Callable[[], Town], work: Work, on_line: OnLine | None, heal: bool) -> Result:
    town = make()
    random.seed(town.seed)  # the ARI room's back-off jitter, the one dice that is not ours
    if on_line is not None:
        town.watch.on_line = on_line
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: town.watch.breach(f"S0 unhandled: {context.get('exception')!r}"))
    await town.open()
    await work(town)
    if heal and not town.watch.breaches:
        await town.heal()
    await town.close()
    watch = town.watch
    return Result(
        seed=town.seed,
        hours=loop.time() / 3600,
        steps=watch.steps,
        calls=town.callers,
        starts=town.starts,
        breaches=watch.breaches,
        trace=list(watch.trace),
        odd=dict(watch.odd),
        facts=dict(watch.facts),
    )


# -- programmes ------------------------------------------------------------------------------------------------------


def day(seed: int, seconds: float, on_line: OnLine | None) -> Result:
    """Everything, by its weight."""
    shape = sized(seed, seconds)
    return play(lambda: Town(seed, shape), lambda town: town.live(shape.seconds), on_line)


def f3_killed_at_a_joint(seed: int, _seconds: float, on_line: OnLine | None) -> Result:
    """A calm day of some length, then `kill -9` at one of the engine's joints; five seeds in a row are one state."""
    state, joint = divmod(seed, len(JOINTS))

    async def work(town: Town) -> None:
        await town.live(10 + 40 * Random(state).random())
        first = town.life
        first.kill_at = JOINTS[joint]
        await town.live(20)
        if not first.dead and not town.watch.breaches:
            town.watch.breach(f"F3 nothing reached the joint {JOINTS[joint]}")

    return play(lambda: Town(state, Shape(8, 0.4, rude=False, faults=False)), work, on_line)


def f16_clock(seed: int, seconds: float, on_line: OnLine | None) -> Result:
    """The wall clock is stepped by seconds, hours and a day, and back."""
    shape = Shape(8, 0.6, seconds, rude=False, faults=False, only=(("clock_step", 2.0),))
    return play(lambda: Town(seed, shape), lambda town: town.live(seconds), on_line)


def f22_swizzle(seed: int, _seconds: float, on_line: OnLine | None) -> Result:
    """Ten of twenty phones vanish one by one within 5 s and return in another order."""

    async def work(town: Town) -> None:
        await town.live(20)
        gone = town.dice.sample(list(town.switch.phones), 10)
        for endpoint in gone:
            town.vanish(endpoint, 10_000)
            await asyncio.sleep(0.5)
        await town.live(5)
        town.dice.shuffle(gone)
        for endpoint in gone:
            town.come_back(endpoint)
            await town.live(2 * town.dice.random())

    return play(lambda: Town(seed, Shape(20, 0.4, rude=False, faults=False)), work, on_line)


def f24_late(seed: int, seconds: float, on_line: OnLine | None) -> Result:
    """Every message may be swapped within 16 or up to 5 s late."""
    return _rude(seed, seconds, Manners(late_s=5.0), ("swap",), on_line)


def f25_dropped(seed: int, seconds: float, on_line: OnLine | None) -> Result:
    """30 % of the messages are lost."""
    return _rude(seed, seconds, Manners(drop=0.3), ("drop",), on_line)


def _rude(seed: int, seconds: float, manners: Manners, kinds: tuple[str, ...], on_line: OnLine | None) -> Result:
    async def work(town: Town) -> None:
        town.ears.manners = manners
        for kind in kinds:
            town.ears.burst(kind, seconds)
        await town.live(seconds)

    return play(lambda: Town(seed, Shape(8, 0.5, seconds, rude=False, faults=False)), work, on_line)


def f10_takeovers(seed: int, seconds: float, on_line: OnLine | None) -> Result:
    """Second controllers, one after the other, in the middle of calls, deaths, setups and slow books."""

    async def work(town: Town) -> None:
        town.building_s = BUILDING_S
        await town.live(seconds)

    only = (("second_controller", 2.0), ("controller_killed", 0.3), ("ledger_fails", 0.5), ("setup_changes", 1.0))
    shape = Shape(8, 0.4, seconds, rude=False, faults=False, only=only)
    return play(lambda: Town(seed, shape), work, on_line)


def f11_owed(seed: int, seconds: float, on_line: OnLine | None) -> Result:
    """The books are away again and again, and whoever leads is killed or replaced meanwhile: no record is lost."""

    async def work(town: Town) -> None:
        town.building_s = BUILDING_S
        await town.live(seconds)

    only = (("ledger_fails", 4.0), ("controller_killed", 2.0), ("second_controller", 1.0))
    shape = Shape(8, 0.4, seconds, rude=False, faults=False, only=only)
    return play(lambda: Town(seed, shape), work, on_line)


def f27_setup(seed: int, seconds: float, on_line: OnLine | None) -> Result:
    """The setup changes under load: queues and agents gone, caps below use, numbers moved."""
    shape = Shape(8, 0.4, seconds, rude=False, faults=False, only=(("setup_changes", 4.0),))
    return play(lambda: Town(seed, shape), lambda town: town.live(seconds), on_line)


def f34_everything(seed: int, seconds: float, on_line: OnLine | None) -> Result:
    """Socket cuts, a locked database, silent agents and lost messages at once."""

    async def work(town: Town) -> None:
        town.ears.manners = Manners(drop=0.3)
        town.ears.burst("drop", seconds)
        town.answering = 0.3
        await town.live(seconds)

    only = (("socket_cut", 3.0), ("ledger_fails", 3.0))
    shape = Shape(8, 0.4, seconds, rude=False, faults=False, only=only)
    return play(lambda: Town(seed, shape), work, on_line)


def swarm(seed: int, seconds: float, on_line: OnLine | None) -> Result:
    """A large floor: sixty agents, and as many calls as they can take."""
    shape = Shape(60, 0.15, seconds)
    return play(lambda: Town(seed, shape, centre.of(Random(seed), 60)), lambda town: town.live(seconds), on_line)


PROGRAMMES: dict[str, Callable[[int, float, OnLine | None], Result]] = {
    "day": day,
    "swarm": swarm,
    "F3": f3_killed_at_a_joint,
    "F10": f10_takeovers,
    "F11": f11_owed,
    "F16": f16_clock,
    "F22": f22_swizzle,
    "F24": f24_late,
    "F25": f25_dropped,
    "F27": f27_setup,
    "F34": f34_everything,
}
