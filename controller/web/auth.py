"""Who may ask what: one table of every route, and the tokens people and programs show.

Roles: `admin` may do everything; `supervisor` everything except reading or changing the setup's secrets and text of
others' access (no setup writing, no tokens); `agent:<name>` sees and changes that agent alone, and the calls that
are theirs; `dial` places calls (click to call) and asks which way they would leave; `read` is a wallboard: it looks,
and sees numbers masked.

The table is the law: the gate answers 404 for a path that is not in it and 405 for a method that is not, so a route
somebody forgot to declare cannot be reached. A test compares the table with the application's own list of routes.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from controller.core.saying import say
from controller.errors import LedgerError
from controller.web.deps import Clock, Tokens
from controller.web.problems import Problem

TOKEN_CHARS_MAX: Final = 200
KNOWN_FOR_MS: Final = 1_000
"""How long a token found in the books counts as known; a revoked one is dead after this at the latest."""
KNOWN_STILL_FOR_MS: Final = 600_000
"""How long a token that was known counts as known while the books are silent: wallboards live on through that."""
BOOKS_LIMIT_S: Final = 1.0
KNOWN_MAX: Final = 1_000
FAILURES_MAX: Final = 20
FAILURES_WINDOW_MS: Final = 60_000
PEERS_MAX: Final = 1_000


class Role(StrEnum):
    """What a token may do."""

    ADMIN = "admin"
    SUPERVISOR = "supervisor"
    AGENT = "agent"
    DIAL = "dial"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the role, the agent it is bound to (role agent only) and the name the audit knows it by."""

    role: Role
    agent: str = ""
    by: str = ""

    @property
    def masked(self) -> bool:
        """Whether numbers of people are shown with their last three digits only."""
        return self.role is Role.READ


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call one method of one route, and with what.

    `public`: nobody need sign in, from `anywhere` or else from loopback. `body_max` is bytes, `media` the types of body
    it reads, `limit_s` the longest it may take (None: it has no end), `origin` whether it is checked although nothing
    is changed, `query` the parameters it knows.
    """

    roles: frozenset[Role]
    public: bool = False
    anywhere: bool = False
    body_max: int = 1 << 20
    media: tuple[str, ...] = ("application/json",)
    limit_s: float | None = 10.0
    origin: bool = False
    query: frozenset[str] = frozenset()


_EVERY = frozenset(Role)
_LOOK = frozenset({Role.ADMIN, Role.SUPERVISOR, Role.AGENT, Role.READ})
_WATCH = frozenset({Role.ADMIN, Role.SUPERVISOR, Role.READ})
_HANDLE = frozenset({Role.ADMIN, Role.SUPERVISOR, Role.AGENT})
_LEAD = frozenset({Role.ADMIN, Role.SUPERVISOR})
_ASK = frozenset({Role.ADMIN, Role.SUPERVISOR, Role.AGENT, Role.DIAL})
_ADMIN = frozenset({Role.ADMIN})

_PAGED: Final = frozenset({"limit", "cursor"})
_CALLS: Final = _PAGED | {
    "state", "hotline", "queue", "agent", "caller", "result", "direction", "since", "until",
}  # fmt: skip
_EXPLAIN: Final = frozenset({"to", "hotline", "agent"})
_SETUP_BYTES_MAX: Final = 16 << 20
TOML_MEDIA: Final = ("application/toml", "text/toml", "text/x-toml", "application/x-toml", "text/plain")
"""TOML by every name people give it; the first is the registered one."""
_SETUP_MEDIA: Final = ("application/json", *TOML_MEDIA)
_SETUP_LIMIT_S: Final = 60.0

ACCESS: Final[Mapping[str, Mapping[str, Access]]] = {
    "/healthz": {"GET": Access(_EVERY, public=True, anywhere=True)},
    "/readyz": {"GET": Access(_EVERY, public=True)},
    "/metrics": {"GET": Access(_WATCH, public=True)},
    "/openapi.json": {"GET": Access(_EVERY, public=True, anywhere=True)},
    "/api/v1/calls": {"GET": Access(_LOOK, query=_CALLS)},
    "/api/v1/calls/{call}": {"GET": Access(_LOOK)},
    "/api/v1/calls/{call}/story": {"GET": Access(_HANDLE)},
    "/api/v1/calls/{call}/hangup": {"POST": Access(_HANDLE)},
    "/api/v1/calls/{call}/transfer": {"POST": Access(_HANDLE)},
    "/api/v1/calls/{call}/consult": {"POST": Access(_HANDLE)},
    "/api/v1/agents": {"GET": Access(_LOOK, query=_PAGED)},
    "/api/v1/agents/{agent}": {"GET": Access(_LOOK)},
    "/api/v1/agents/{agent}/status": {"PUT": Access(_HANDLE)},
    "/api/v1/agents/{agent}/wrap-up": {"POST": Access(_HANDLE)},
    "/api/v1/queues": {"GET": Access(_LOOK, query=_PAGED)},
    "/api/v1/trunks": {"GET": Access(_WATCH, query=_PAGED)},
    "/api/v1/alerts": {"GET": Access(_WATCH, query=_PAGED | {"state"})},
    "/api/v1/outbound": {"POST": Access(_ASK)},
    "/api/v1/outbound/explain": {"GET": Access(_ASK, query=_EXPLAIN)},
    "/api/v1/carriers": {"GET": Access(_WATCH)},
    "/api/v1/numbers": {"GET": Access(_LEAD, query=_PAGED)},
    "/api/v1/numbers/refresh": {"POST": Access(_ADMIN)},
    "/api/v1/numbers/{number}": {"GET": Access(_ASK)},
    "/api/v1/numbers/{number}/carrier": {"PUT": Access(_LEAD), "DELETE": Access(_LEAD)},
    "/api/v1/setup": {
        "GET": Access(_LEAD),
        "PUT": Access(_ADMIN, body_max=_SETUP_BYTES_MAX, media=_SETUP_MEDIA, limit_s=_SETUP_LIMIT_S),
    },
    "/api/v1/setup/check": {
        "POST": Access(_LEAD, body_max=_SETUP_BYTES_MAX, media=_SETUP_MEDIA, limit_s=_SETUP_LIMIT_S),
    },
    "/api/v1/events": {"GET": Access(_LOOK, limit_s=None, origin=True)},
}
"""Every route there is, and who may use it."""


def find(path: str) -> Mapping[str, Access] | None:
    """Find the declared route a path belongs to: the access to each of its methods."""
    methods = ACCESS.get(path)
    if methods is not None:
        return methods
    parts = path.split("/")
    for template, found in ACCESS.items():
        wanted = template.split("/")
        if len(wanted) == len(parts) and all(_fits(want, part) for want, part in zip(wanted, parts, strict=True)):
            return found
    return None


def _fits(want: str, part: str) -> bool:
    return bool(part) if want.startswith("{") else want == part


def principal_of(role: str, name: str) -> Principal | None:
    """Read a role as the books keep it (`admin`, `agent:an`); None when it is no role of ours."""
    word, _, agent = role.partition(":")
    if word not in {item.value for item in Role} or (word == Role.AGENT) != bool(agent):
        return None
    return Principal(Role(word), agent, f"{role}/{name}" if name else role)


def on_loopback(peer: str) -> bool:
    """Whether a request came from this machine."""
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Known:
    """A token's owner, when the books last said so, and when they were last asked."""

    principal: Principal
    found_at_ms: int
    asked_at_ms: int


class Doorkeeper:
    """Turns a bearer token into a principal, and tells a peer that keeps guessing to come back later.

    A right token always passes, whatever its neighbours at the same address do: behind a proxy all have one address.
    """

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()

    async def principal(self, token: str, peer: str) -> Principal:
        """Who shows this token; Problem 401 when nobody, 429 when this peer has guessed too often."""
        key = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        now_ms = self._clock.now_ms()
        known = self._known.pop(key, None)
        if known is None or not 0 <= now_ms - known.asked_at_ms < KNOWN_FOR_MS:
            known = await self._ask(token, known, now_ms)
        if known is None:
            raise self._refusal(peer, now_ms)
        self._known[key] = known
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return known.principal

    async def _ask(self, token: str, known: _Known | None, now_ms: int) -> _Known | None:
        """Look a token up; while the books are silent, what was known a while ago still holds."""
        if len(token) > TOKEN_CHARS_MAX:
            return None
        try:
            async with asyncio.timeout(BOOKS_LIMIT_S):
                row = await self._tokens.verify(token)
        except (LedgerError, TimeoutError):
            if known is None or not 0 <= now_ms - known.found_at_ms < KNOWN_STILL_FOR_MS:
                raise
            return replace(known, asked_at_ms=now_ms)
        found = None if row is None else principal_of(row.role, row.name)
        return None if found is None else _Known(found, now_ms, now_ms)

    def _refusal(self, peer: str, now_ms: int) -> Problem:
        since_ms, count = self._failures.pop(peer, (now_ms, 0))
        if not 0 <= now_ms - since_ms < FAILURES_WINDOW_MS:
            since_ms, count = now_ms, 0
        self._failures[peer] = (since_ms, count + 1)
        if len(self._failures) > PEERS_MAX:
            self._failures.popitem(last=False)
        if count < FAILURES_MAX:
            return Problem(401, say("token_not_known"))
        wait_s = (since_ms + FAILURES_WINDOW_MS - now_ms) // 1000 + 1
        return Problem(429, say("too_many_tokens"), headers={"Retry-After": str(wait_s)})


def bearer(shown: Sequence[str]) -> str:
    """Take the token out of the Authorization headers; Problem 401 unless there is exactly one."""
    if len(shown) != 1:
        raise Problem(401, say("token_wanted"))
    scheme, _, token = shown[0].strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(401, say("token_form"))
    return token.strip()
