"""Who waits for what Asterisk will say. Named before the request goes out, because events overtake replies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from controller.ari.requests import Wait
from controller.errors import TelephoneError

WAITERS_MAX: Final = 10_000


class Waiters:
    """One future for each thing waited for; the reader resolves them before anything else happens to an event."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], asyncio.Future[None]] = {}

    @contextmanager
    def expect(self, wait: Wait) -> Iterator[asyncio.Future[None]]:
        """Listen for `wait` from here on; forgotten at the end of the block."""
        if len(self._waiting) >= WAITERS_MAX:
            raise TelephoneError("too many commands wait for Asterisk at once")
        key = wait.what, wait.name
        heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[key] = heard
        try:
            yield heard
        finally:
            if self._waiting.get(key) is heard:
                del self._waiting[key]
            if not heard.cancel() and not heard.cancelled():
                heard.exception()  # known to whoever waited; nobody else need be told that it was not asked for

    def happened(self, what: str, name: str) -> None:
        """It was heard."""
        heard = self._waiting.get((what, name))
        if heard is not None and not heard.done():
            heard.set_result(None)

    def never(self, what: str, name: str, why: str) -> None:
        """It will not be heard any more."""
        heard = self._waiting.get((what, name))
        if heard is not None and not heard.done():
            heard.set_exception(TelephoneError(why))

    def fail_all(self, why: str) -> None:
        """The stream was cut: nobody can know."""
        for what, name in list(self._waiting):
            self.never(what, name, why)


async def heard_within(heard: asyncio.Future[None], wait: Wait) -> None:
    """Wait until it was heard; TelephoneError when it was not in time."""
    done, _ = await asyncio.wait({heard}, timeout=wait.limit_s)
    if not done:
        raise TelephoneError(f"Asterisk did not say within {wait.limit_s:g} s that {wait.name} has {wait.what}")
    heard.result()
