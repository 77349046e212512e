"""Setups of every size for the simulator, and the ways they change under load."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from controller.core.setup import Setup, Strategy, Webhook
from tests.core import setups

GROUPS = (("sales",), ("support",), ("backup",), ("sales", "support"), ("sales", "backup"))


def of(dice: Random, agents: int, version: int = 1) -> Setup:
    """The whole setup of the core's tests with strategies, sizes and so many agents as the dice say."""
    one, two, three = (dice.choice(list(Strategy)) for _ in range(3))
    base = setups.whole(one, two, three)
    more = tuple(
        replace(
            setups.agents(f"a{n}", groups=dice.choice(GROUPS), wrap_up=dice.choice((None, None, 0, 4)))[0],
            extension=f"{200 + n}",
        )
        for n in range(max(0, agents - len(base.agents)))
    )
    queues = tuple(replace(row, max_size=max(4, agents // 2)) for row in base.queues)
    trunks = tuple(replace(row, max_channels=max(2, agents // 6)) for row in base.trunks)
    kept = base.agents[: max(1, agents)]
    bell = (Webhook("bell", "http://127.0.0.1:9/alerts"),)
    return replace(base, agents=(*kept, *more), queues=queues, trunks=trunks, webhooks=bell, version=version)


def changed(dice: Random, now: Setup, whole: Setup) -> Setup:
    """Another setup: something gone, something back, caps lowered below use, a number moved to another queue."""
    version = now.version + 1
    match dice.randrange(7):
        case 0:
            gone = dice.choice(whole.queues).name
            found = replace(whole, queues=tuple(row for row in whole.queues if row.name != gone))
        case 1 if len(whole.agents) > 1:
            gone = dice.choice(whole.agents).name
            found = replace(whole, agents=tuple(row for row in whole.agents if row.name != gone))
        case 2:
            strategy = dice.choice(list(Strategy))
            found = replace(whole, queues=tuple(replace(row, strategy=strategy) for row in whole.queues))
        case 3:
            found = replace(whole, trunks=tuple(replace(row, max_channels=1) for row in whole.trunks))
        case 4:
            to = dice.choice(whole.queues).name
            hotlines = tuple(replace(row, queue=to, menu="") if row.queue else row for row in whole.hotlines)
            found = replace(whole, hotlines=hotlines)
        case 5:
            found = replace(whole, menus=whole.menus[dice.randrange(2) :], agents=tuple(reversed(whole.agents)))
        case _:
            found = whole
    return replace(found, version=version)
