"""Trunks and carriers as an engineer looks at them: who is up, who is left out and why, and how the last hour went."""

from __future__ import annotations

from fastapi import APIRouter

from controller.core import hours, meter, quality
from controller.core.model import TrunkState, TrunkWindow
from controller.core.setup import Trunk
from controller.core.world import World
from controller.web.asked import PAGE_DEFAULT, Cursor, Known, Limit, after_name, page_mark
from controller.web.schemas import CarrierWorked, CodeCount, TrunkOut, TrunkPage, Worked
from controller.web.views import iso_or_none, page_names

router = APIRouter(prefix="/api/v1/trunks", tags=["outbound"])


@router.get("")
async def trunks(deps: Known, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None) -> TrunkPage:
    """List trunks in the order of the setup, and their carriers with the figures of all their trunks together."""
    world, now_ms = deps.engine.world, deps.clock.now_ms()
    shown, more = page_names([row.name for row in world.setup.trunks], after_name(cursor), limit)
    day = hours.local_day(now_ms, world.setup.defaults.timezone)
    items = [trunk_out(world, world.setup.trunk[name], day, now_ms) for name in shown]
    carriers = [
        CarrierWorked(name=name, worked=_worked([_window(world, row.name) for row in rows], now_ms))
        for name, rows in world.setup.trunks_of_carrier.items()
    ]
    return TrunkPage(items=items, carriers=carriers, next=page_mark(shown[-1]) if more else None)


def trunk_out(world: World, trunk: Trunk, day: str, now_ms: int) -> TrunkOut:
    """Show one trunk."""
    state = world.trunks.get(trunk.name) or TrunkState(trunk.name)
    why = meter.unusable(state, trunk, now_ms, day)
    cooling = state.cooling_until_ms if state.cooling_until_ms and state.cooling_until_ms > now_ms else None
    return TrunkOut(
        name=trunk.name,
        carrier=trunk.carrier or None,
        enabled=trunk.enabled,
        usable=not why,
        why_not=why or None,
        reachable=state.reachable,
        cooling_until=iso_or_none(cooling),
        failures_in_a_row=state.failures,
        calls=len(state.live),
        max_channels=trunk.max_channels or None,
        max_cps=trunk.max_cps or None,
        worked=_worked([_window(world, trunk.name)], now_ms),
    )


def _window(world: World, name: str) -> TrunkWindow:
    return world.trunk_windows.get(name) or TrunkWindow(name)


def _worked(windows: list[TrunkWindow], now_ms: int) -> Worked:
    found = quality.figures(windows, now_ms)
    return Worked(
        attempts=found.tries,
        answered=found.answered,
        failed=found.failed,
        answer_seizure_percent=found.answer_percent,
        post_dial_delay_ms=found.delay_ms,
        codes=[CodeCount(code=code, count=count) for code, count in found.codes],
    )
