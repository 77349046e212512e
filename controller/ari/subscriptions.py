"""What our application is told: only the kinds of events we read, and beyond its own channels the agents' phones.

A phone's state and the channels others make on it are told only to those who subscribed to the endpoint
(docs/asterisk-facts.md, part 2). All of it is lost with the socket unless the application happens to hold a channel, so
after a connect everything is asked again. Callers are not subscribed: `ChannelHangupRequest` and `StasisEnd` come to
the application that holds the channel, and say all that `ChannelDestroyed` would say after them.

One unknown name refuses a whole request, hence: many names at once, and one by one when that is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import structlog

from controller.ari.client import RefusedError, reason_of
from controller.ari.pool import Reply
from controller.ari.requests import an_endpoint
from controller.ari.shape import a_list, a_text, an_object, parse
from controller.ari.wire import WANTED

ANY_OK: Final = range(200, 300)
BATCH_MAX: Final = 30
"""Names in one request: Asterisk refuses a URL of 9 kB, and a name takes up to 100 bytes."""

_UNKNOWN: Final = frozenset({404, 422})

_log = structlog.get_logger("ari")

Ask = Callable[[str, dict[str, object]], Awaitable[Reply]]


class Subscriptions:
    """`unknown` are phones that were asked for and that Asterisk does not know."""

    def __init__(self, app: str, ask: Ask) -> None:
        self.unknown: tuple[str, ...] = ()
        self._app = app
        self._ask = ask
        self._phones: dict[str, None] = {}

    def forget(self) -> None:
        """The socket is new: nothing is subscribed."""
        self._phones.clear()

    async def narrow(self) -> None:
        """Have only what we read told on a new stream; to be awaited before anything else is asked of the application.

        Asterisk 22 dies when a filter is replaced while anybody reads the application or subscribes
        (docs/asterisk-facts.md, A27). So it is set while nobody does, and only when it is not what we want already.
        """
        reply = await self._ask("applications.get", {"applicationName": self._app})
        if allowed_by(reply) == frozenset(WANTED):
            return
        wanted = {"allowed": [{"type": kind} for kind in WANTED], "disallowed": []}
        reply = await self._ask("applications.filter", {"applicationName": self._app, "filter": wanted})
        if reply.status not in ANY_OK:
            _log.warning("events are not filtered", why=reason_of(reply))

    async def watch(self, endpoints: Sequence[str]) -> None:
        """Be told about these phones and no others; `unknown` names those that do not exist, the rest is watched."""
        wanted = dict.fromkeys(name for name in endpoints if is_endpoint(name))
        for name in [name for name in self._phones if name not in wanted]:
            await self._ask("applications.unsubscribe", self._source([phone(name)]))
            self._phones.pop(name, None)
        lacking: list[str] = [name for name in endpoints if name not in wanted]
        missing = [name for name in wanted if name not in self._phones]
        for start in range(0, len(missing), BATCH_MAX):
            batch = missing[start : start + BATCH_MAX]
            refused = await self._subscribe([phone(name) for name in batch])
            lacking += [name for name in batch if phone(name) in refused]
            self._phones |= dict.fromkeys(name for name in batch if phone(name) not in refused)
        self.unknown = tuple(lacking)

    async def _subscribe(self, sources: Sequence[str]) -> frozenset[str]:
        """Subscribe; returns the sources Asterisk does not know."""
        reply = await self._ask("applications.subscribe", self._source(sources))
        if reply.status in ANY_OK:
            return frozenset()
        if reply.status not in _UNKNOWN:
            raise RefusedError("applications.subscribe", reply.status, reason_of(reply))
        if len(sources) == 1:
            return frozenset(sources)
        found: frozenset[str] = frozenset()
        for source in sources:
            found |= await self._subscribe([source])
        return found

    def _source(self, sources: Iterable[str]) -> dict[str, object]:
        return {"applicationName": self._app, "eventSource": list(sources)}


def allowed_by(reply: Reply) -> frozenset[str]:
    """The kinds of events an application is told by its filter; empty when it has none."""
    allowed = a_list(an_object(parse(reply.body)).get("events_allowed"))
    return frozenset(a_text(an_object(kind).get("type")) for kind in allowed)


def phone(endpoint: str) -> str:
    """An endpoint as an event source."""
    return f"endpoint:PJSIP/{endpoint}"


def is_endpoint(name: str) -> bool:
    """Whether this can be the name of an endpoint."""
    try:
        an_endpoint(name)
    except ValueError:
        return False
    return True
