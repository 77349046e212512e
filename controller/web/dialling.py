"""The number somebody wants called, and by which hotline, as they stand in a body."""

from __future__ import annotations

from dataclasses import dataclass

from controller.core import dialcodes, trunks
from controller.core.saying import say
from controller.core.text import clean_number
from controller.web.deps import Deps
from controller.web.problems import Mistake, Problem


@dataclass(frozen=True, slots=True)
class Dialled:
    """A number, the hotline or adaptive name to call it by, and what look-ups outside the core say of its operator."""

    number: str
    via: str
    ported: str
    ported_source: str


async def read_dialled(deps: Deps, to: str, hotline: str) -> Dialled:
    """Read `to` and `hotline` however they are written; Problem 422 when `to` is no phone number."""
    number = clean_number(to)
    if not number:
        raise Problem(422, say("this_no_phone_number"), errors=(Mistake("body.to", say("is_no_phone_number")),))
    setup = deps.engine.world.setup
    number, via = dialcodes.take_off(setup, number, hotline)
    found = trunks.find_hotline(setup, via)
    ported, source = await deps.look_up(number)
    return Dialled(number, found.number if found else via, ported, source)
