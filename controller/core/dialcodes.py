"""Dial codes: a few keys before the number say by which hotline or adaptive number an agent's call shall leave.

A code is taken off where a number comes in, before anybody looks up whose number it is: what follows sees the number
alone and the hotline it was asked for by.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from phonenumbers import country_code_for_region

from controller.core.saying import say
from controller.core.setup import Setup
from controller.core.shape import Place, Report, spell

FEATURES = ("*40", "*41", "*42", "*43")
"""What agents dial for themselves (docs/dialplan.md): no dial code may stand in its way."""


def take_off(setup: Setup, dialled: str, via: str) -> tuple[str, str]:
    """The number without its dial code, and what it is to be called by; `via` wins over a code, nothing is changed."""
    if via:
        return dialled, via
    for length in range(min(len(dialled) - 1, setup.dial_code_max), 0, -1):
        name = setup.dial_codes.get(dialled[:length])
        if name is not None:
            return dialled[length:], name
    return dialled, via


def _beginning(codes: list[tuple[str, int]], code: str) -> Iterator[tuple[str, int]]:
    """Those of the sorted codes that begin with this one: they stand together."""
    for at in range(bisect_left(codes, (code, 0)), len(codes) if code else 0):
        if not codes[at][0].startswith(code):
            return
        yield codes[at]


def check(found: list[tuple[Place, str]], setup: Setup, report: Report) -> None:
    """Report codes that begin what people dial: another code, a feature code, an emergency number, 84… for +84…."""
    abroad = str(country_code_for_region(setup.defaults.country))
    beside = sorted((code, n) for n, (_, code) in enumerate(found) if code)
    for n, (place, code) in enumerate(found):
        for longer, m in _beginning(beside, code):
            if m != n:
                report.add(place, say("begins_dial_code", code=code, longer=longer, place=spell(found[m][0])))
        if code and (abroad.startswith(code) or code.startswith(abroad)):
            report.add(place, say("begins_abroad", code=code, abroad=abroad))
        for longer in (*FEATURES, *setup.defaults.emergency):
            if code and longer.startswith(code):
                report.add(place, say("begins_feature", code=code, longer=longer))
