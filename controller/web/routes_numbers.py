"""Numbers and carriers: which table is in force, whose subscriber a number is, and naming that by hand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path
from pydantic import AfterValidator

from controller.core.numbers import Number, carrier_of, normalise
from controller.core.saying import say
from controller.core.setup import Setup
from controller.web.asked import (
    FILTER_CHARS_MAX,
    PAGE_DEFAULT,
    Cursor,
    Known,
    Limit,
    Who,
    after_name,
    page_mark,
    plus,
)
from controller.web.deps import Deps
from controller.web.problems import Mistake, Problem
from controller.web.schemas import (
    PRINTABLE,
    ByHandOut,
    ByHandPage,
    CarrierIn,
    CarrierOut,
    CarriersOut,
    ListOut,
    LookupOut,
    NumberOut,
    PortedOut,
)
from controller.web.views import iso, page_names

router = APIRouter(prefix="/api/v1", tags=["numbers"])

Written = Annotated[str, Path(min_length=1, max_length=FILTER_CHARS_MAX, pattern=PRINTABLE), AfterValidator(plus)]


@router.get("/carriers")
async def carriers(deps: Known) -> CarriersOut:
    """Show the table of carriers in force, and what else knows whose subscriber a number is."""
    setup = deps.engine.world.setup
    table = setup.carriers_from
    return CarriersOut(
        origin=table.origin or None,
        version=table.version or None,
        sources=list(table.sources),
        trouble=table.trouble or None,
        carriers=[
            CarrierOut(name=row.name, aliases=list(row.aliases), prefixes=list(row.prefixes), network=row.group)
            for row in setup.carriers
        ],
        ported=_ported(deps),
        by_hand=deps.numbers.held.by_hand,
        lookup=_lookup(deps),
    )


@router.get("/numbers")
async def by_hand(deps: Known, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None) -> ByHandPage:
    """List the numbers whose carrier somebody named, in their order."""
    rows = {row.number: row for row in await deps.numbers.by_hand()}
    shown, more = page_names(list(rows), after_name(cursor), limit)
    items = [
        ByHandOut(number=row.number, carrier=row.carrier, note=row.note or None, by=row.by, at=iso(row.at_ms))
        for row in (rows[name] for name in shown)
    ]
    return ByHandPage(items=items, next=page_mark(shown[-1]) if more else None)


@router.post("/numbers/refresh")
async def refresh(deps: Known) -> CarriersOut:
    """Look at once at what was imported, and read the file of carriers anew; else that takes two seconds."""
    await deps.refresh()
    return await carriers(deps)


@router.get("/numbers/{number}")
async def one_number(deps: Known, number: Written) -> NumberOut:
    """Say what is known of a number and whose subscriber it is, asking the look-up service where there is one."""
    read = normalise(number, deps.engine.world.setup.defaults.country)
    ported, source = await deps.look_up(number)
    carrier, known_by = carrier_of(read, deps.engine.world.setup, ported, source)
    return NumberOut(
        e164=read.e164 or None,
        national=read.national or None,
        dial=read.dial or None,
        kind=read.kind.value,
        area=read.area or None,
        extension=read.extension or None,
        carrier=carrier or None,
        carrier_source=known_by,
    )


@router.put("/numbers/{number}/carrier")
async def name_carrier(deps: Known, who: Who, number: Written, body: Annotated[CarrierIn, Body()]) -> NumberOut:
    """Name the carrier of one number; it wins over ported lists, the look-up service and prefixes, and is audited.

    422 when the number is none of a subscriber or the carrier is not known here. A row of the setup with `override`
    wins over it: the answer tells what counts.
    """
    setup = deps.engine.world.setup
    e164 = _subscriber(setup, number).e164
    carrier = _spelled(setup, body.carrier)
    if carrier is None:
        mistake = Mistake("body.carrier", say("carrier_of_none"))
        raise Problem(422, say("carrier_not_known"), errors=(mistake,))
    await deps.numbers.name_carrier(e164, carrier, deps.clock.now_ms(), who.by, body.note)
    await deps.numbers.refresh()
    return await one_number(deps, e164)


@router.delete("/numbers/{number}/carrier")
async def forget_carrier(deps: Known, who: Who, number: Written) -> NumberOut:
    """Take back what was named by hand, audited; 404 when nothing was."""
    e164 = _subscriber(deps.engine.world.setup, number).e164
    if e164 not in {row.number for row in await deps.numbers.by_hand()}:
        raise Problem(404, say("nobody_named_carrier"))
    await deps.numbers.name_carrier(e164, "", deps.clock.now_ms(), who.by)
    await deps.numbers.refresh()
    return await one_number(deps, e164)


def _subscriber(setup: Setup, number: str) -> Number:
    read = normalise(number, setup.defaults.country)
    if not read.e164:
        raise Problem(422, say("this_no_subscriber"), errors=(Mistake("path.number", say("is_no_phone_number")),))
    return read


def _spelled(setup: Setup, carrier: str) -> str | None:
    """The name of a carrier in the table, or of one that has trunks or hotlines here; None when there is none."""
    found = setup.carrier_spelling.get(carrier.strip().casefold())
    names = [*(row.carrier for row in setup.trunks), *(row.carrier for row in setup.hotlines)]
    ours = {name.casefold(): name for name in names if name}
    return found or ours.get(carrier.strip().casefold())


def _ported(deps: Deps) -> PortedOut:
    held = deps.numbers.held
    edition = held.edition
    lists = [row for row in edition.lists if row.name]
    return PortedOut(
        rows=edition.rows,
        made_at=iso(edition.made_at_ms) if edition.number else None,
        lists=[ListOut(name=row.name, imported_at=iso(row.at_ms), rows=row.rows) for row in lists],
        blocks=held.blocks,
        blocks_in_memory=held.blocks_here,
        bytes=held.size_bytes,
        trouble=held.trouble or None,
    )


def _lookup(deps: Deps) -> LookupOut | None:
    if deps.lookup is None:
        return None
    health = deps.lookup.health
    return LookupOut(
        state=health.state.value, remembered=health.cached, asking=health.asking, trouble=health.trouble or None
    )
