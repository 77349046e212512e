"""How a number of ours is written on a trunk, so that its carrier accepts it."""

from __future__ import annotations

from functools import lru_cache

from controller.core.numbers import normalise
from controller.core.setup import Trunk


def shown(number: str, trunk: Trunk, country: str) -> str:
    """A hotline's number as the trunk wants it; a short code has one form everywhere."""
    if trunk.caller_id == "e164" or not number.startswith("+"):
        return number
    return number[1:] if trunk.caller_id == "plain" else _national(number, country)


@lru_cache(maxsize=8192)
def _national(number: str, country: str) -> str:
    found = normalise(number, country)
    return found.national or number
