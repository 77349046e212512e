"""The number somebody wants called, and by which hotline, as they stand in a body or a query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from controller.core import dialcodes, numbers, trunks
from controller.core.saying import say
from controller.core.text import clean_number
from controller.web.deps import Deps
from controller.web.problems import Mistake, Problem

_LINK: Final = re.compile(r"tel:([^;]*)(?:;.*?phone-context=(\+[^;]*))?.*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dialled:
    """A number, the hotline or adaptive name to call it by, and what look-ups outside the core say of its operator."""

    number: str
    via: str
    ported: str
    ported_source: str


def as_keys(to: str, country: str) -> str:
    """The keys that dial what is written in `to`, as a phone would send them; empty when it is no phone number.

    An extension stands behind `#`, so that it is kept apart and told. Of a link (`tel:`, RFC 3966) the number is read,
    continued by its `phone-context` when that is the beginning of a number.
    """
    link = _LINK.fullmatch(to.strip())
    if link:
        own, context = link[1], link[2] or ""
        to = own if own.startswith("+") else context + own
    keys = clean_number(to)
    if keys:
        return keys
    number = numbers.normalise(to, country)
    return f"{number.dial}#{number.extension}" if number.extension else number.dial


async def read_dialled(deps: Deps, to: str, hotline: str) -> Dialled:
    """Read `to` and `hotline` however they are written; Problem 422 when `to` is no phone number."""
    setup = deps.engine.world.setup
    number = as_keys(to, setup.defaults.country)
    if not number:
        raise Problem(422, say("this_no_phone_number"), errors=(Mistake("body.to", say("is_no_phone_number")),))
    number, via = dialcodes.take_off(setup, number, hotline)
    found = trunks.find_hotline(setup, via)
    ported, source = await deps.look_up(number)
    return Dialled(number, found.number if found else via, ported, source)
