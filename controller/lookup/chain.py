"""Everything outside the core that knows carriers, in the order of decision 3: by hand, ported lists, look-up service.

The service is asked last and only where it can help: for a mobile number nothing else names the operator of, and
outside Vietnam for landlines too, which are ported there (and in North America look like mobile numbers). What the
setup's own rows say is known in the core, so there is no need to ask for that either.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from controller.core.numbers import Kind, normalise
from controller.core.setup import Setup
from controller.errors import TongdaiError
from controller.lookup.service import LookupService

SOURCE = "lookup"
_PORTED_VN = (Kind.MOBILE,)
_PORTED = (Kind.MOBILE, Kind.LANDLINE)
"""Kinds of numbers that change their operator and keep their digits."""

Lookup = Callable[[str], Awaitable[tuple[str, str]]]
"""The operator of a number and what says so; two empty texts when nothing does."""

_log = structlog.get_logger("lookup")


@dataclass(frozen=True, slots=True)
class Chain:
    """The look-ups of the dial path."""

    books: Lookup
    setup: Callable[[], Setup]
    service: LookupService | None = None

    async def look_up(self, number: str) -> tuple[str, str]:
        """The operator of a number and what says so: `override`, `ported`, `lookup`, or two empty texts."""
        try:
            found = await self.books(number)
        except TongdaiError as error:
            _log.warning("the books do not say whose number it is", why=str(error))
            found = ("", "")
        if found[0] or self.service is None:
            return found
        setup = self.setup()
        read = normalise(number, setup.defaults.country)
        ported_kinds = _PORTED_VN if setup.defaults.country == "VN" else _PORTED
        if read.kind not in ported_kinds or not read.e164 or read.e164 in setup.ported_row:
            return found
        carrier = await self.service.carrier(read.e164)
        return (carrier, SOURCE) if carrier else found

    async def close(self) -> None:
        """Let the service go."""
        if self.service is not None:
            await self.service.close()
