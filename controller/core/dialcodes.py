"""Dial codes: a few keys before the number say by which hotline or adaptive number an agent's call shall leave.

A code is taken off where a number comes in, before anybody looks up whose number it is: what follows sees the number
alone and the hotline it was asked for by.
"""

from __future__ import annotations

from phonenumbers import country_code_for_region

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


def check(found: list[tuple[Place, str]], setup: Setup, report: Report) -> None:
    """Report codes that begin what people dial: another code, a feature code, an emergency number, 84… for +84…."""
    abroad = str(country_code_for_region(setup.defaults.country))
    for place, code in found:
        for other, longer in found:
            if other != place and code and longer.startswith(code):
                report.add(place, f"'{code}' begins the dial code '{longer}' of {spell(other)}")
        if code and (abroad.startswith(code) or code.startswith(abroad)):
            report.add(place, f"'{code}' begins numbers that are written {abroad}…")
        for longer in (*FEATURES, *setup.defaults.emergency):
            if code and longer.startswith(code):
                report.add(place, f"'{code}' begins {longer}, which has a meaning of its own")
