"""The gate every request passes before a route sees it: host, route, token, origin, content type, size and time.

It stands outside FastAPI on purpose. A body is read only after its sender is known to be allowed to send it, and a
refusal looks the same for every route. What is wrong with a request is told in this order: 421 another host's name,
404 no such path, 405 not this method, 401 or 403 not you, 403 another site's page, 415 and 413 the body, 503 no room.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.core.saying import Saying, say
from controller.settings import Http
from controller.web import auth
from controller.web.auth import Access, Doorkeeper, Principal, Role
from controller.web.problems import Mistake, Problem, language_of, new_name, of_error, response

BUSY_MAX: Final = 128
"""Requests worked on at once, event streams not counted; beyond that 503."""
REFUSALS: Final = frozenset({401, 403, 421, 429})
"""Answers to somebody who may not: those are told in the log."""
REFUSED_SAID_S: Final = 60.0
REFUSED_MAX: Final = 1_000
SAFE: Final = frozenset({"GET", "HEAD"})
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
HSTS: Final = "max-age=31536000; includeSubDomains"

_log = structlog.get_logger("web")


def hosts_of(http: Http) -> frozenset[str]:
    """The names we may be asked under (Host header): this machine's, the one we listen on, those of the settings."""
    return LOCAL_NAMES | {http.bind.host.lower()} | set(http.hosts)


class Gate:
    """ASGI middleware around the whole application. `hosts` are the names it may be asked under, without port."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper, hosts: frozenset[str]) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._hosts = hosts
        self._busy = 0
        self._refused: dict[tuple[str, int], tuple[float, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._refuse_other(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = new_name()
        answer = _Answer(send, secure=scope.get("scheme") == "https")
        try:
            await self._admit(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the last net: whatever a route forgot becomes a problem document
            await self._fail(error, scope, receive, answer)

    async def _refuse_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on start and stop of the server; there are no websockets here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _admit(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        headers = Headers(scope=scope)
        _check_host(headers, self._hosts)
        access = _declared(scope)
        scope["state"]["recheck"] = check = self._check(scope, headers, access)
        scope["state"]["principal"] = await check()
        writing = scope["method"] not in SAFE
        if writing or access.origin:
            _check_origin(headers, self._hosts)
        if writing:
            _check_media(headers, access)
        _check_query(scope, access.query)
        if access.limit_s is None:
            await self._app(scope, receive, answer)
            return
        if self._busy >= BUSY_MAX:
            raise Problem(503, say("too_many_requests"))
        self._busy += 1
        try:
            async with asyncio.timeout(access.limit_s):
                body = await _read(receive, headers, access.body_max)
                await self._app(scope, _replay(body, receive), answer)
        finally:
            self._busy -= 1

    def _check(self, scope: Scope, headers: Headers, access: Access) -> Callable[[], Awaitable[Principal]]:
        """Make the question who asks; it raises Problem when nobody does, or nobody whom the table names."""
        peer = (scope.get("client") or ("", 0))[0]

        async def ask() -> Principal:
            if access.public and (access.anywhere or auth.on_loopback(peer)):
                return Principal(Role.READ)
            principal = await self._doorkeeper.principal(auth.bearer(headers.getlist("authorization")), peer)
            if principal.role not in access.roles:
                raise Problem(403, say("role_may_not", role=principal.role))
            return principal

        return ask

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, answer: _Answer) -> None:
        problem = of_error(error)
        instance = scope["state"]["request_id"]
        if problem.status in REFUSALS:
            self._note_refusal(problem, scope)
        if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("request_broke", request=instance, path=scope["path"], exc_info=error)
        if answer.started:
            raise ConnectionResetError("the answer had begun") from error
        await response(problem, instance, language_of(Headers(scope=scope)))(scope, receive, answer)

    def _note_refusal(self, problem: Problem, scope: Scope) -> None:
        """Log who is turned away: the first of a kind from one place at once, the rest as a number, once a minute."""
        peer = (scope.get("client") or ("", 0))[0]
        key, now_s = (peer, problem.status), asyncio.get_running_loop().time()
        since_s, more = self._refused.pop(key, (-REFUSED_SAID_S, 0))
        if now_s - since_s >= REFUSED_SAID_S:
            _log.warning("request_refused", status=problem.status, peer=peer, path=scope["path"], before=more)
            since_s, more = now_s, -1
        self._refused[key] = (since_s, more + 1)
        if len(self._refused) > REFUSED_MAX:
            del self._refused[next(iter(self._refused))]


class _Answer:
    """`send` with the security headers put on, and a note whether the answer has begun."""

    def __init__(self, send: Send, *, secure: bool) -> None:
        self._send = send
        self._secure = secure
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if self._secure:
                headers["Strict-Transport-Security"] = HSTS
        await self._send(message)


def _host_of(value: str) -> str:
    """The name in a Host header or an origin, without port and in small letters; empty when it is none."""
    try:
        return (urlsplit(f"//{value}").hostname or "").lower()
    except ValueError:
        return ""


def _check_host(headers: Headers, hosts: frozenset[str]) -> None:
    """Refuse a request for another name: a page elsewhere may have pointed its own name at this address."""
    shown = headers.getlist("host")
    if len(shown) != 1 or _host_of(shown[0]) not in hosts:
        raise Problem(421, say("wrong_host"))


def _declared(scope: Scope) -> Access:
    """Find the access a request wants; Problem 404 or 405 when nobody declared it."""
    methods = auth.find(scope["path"])
    if methods is None:
        raise Problem(404, say("nothing_here"))
    access = methods.get(scope["method"])
    if access is None:
        raise Problem(405, say("not_done_here"), headers={"Allow": ", ".join(sorted(methods))})
    return access


def _check_query(scope: Scope, known: frozenset[str]) -> None:
    """Refuse a parameter nobody reads, and one that is given twice: nobody knows which is meant."""
    try:
        pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    except ValueError:
        raise Problem(422, say("query_unreadable")) from None
    times = Counter(name for name, _ in pairs)
    errors = [Mistake(f"query.{name}", say("not_known_here")) for name in times if name not in known]
    errors += [Mistake(f"query.{name}", say("given_twice")) for name, count in times.items() if count > 1]
    if errors:
        raise Problem(422, say("not_understood"), errors=tuple(errors))


def _check_origin(headers: Headers, hosts: frozenset[str]) -> None:
    """Refuse what a page of another site sends; programs show no origin, and need none."""
    origin = headers.get("origin")
    if origin is not None and _host_of(origin.partition("://")[2]) not in hosts:
        raise Problem(403, say("other_site"))
    if headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        raise Problem(403, say("other_site"))


def _check_media(headers: Headers, access: Access) -> None:
    """Refuse a body of a kind the route does not read. No body and no type is fine: some calls need none."""
    kind = headers.get("content-type")
    empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    if kind is None and empty:
        return
    media, _, parameters = (kind or "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media.strip().lower() not in access.media or charset not in {"", "charset=utf-8"}:
        raise Problem(415, say("wants_media", media=_either(access.media)), headers={"Accept": ", ".join(access.media)})
    if headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, say("not_compressed"))


def _either(media: Iterable[str]) -> Saying | str:
    """The kinds of body a route reads, with an `or` between them."""
    first, *others = media
    found: Saying | str = first
    for other in others:
        found = say("media_or", one=found, other=other)
    return found


async def _read(receive: Receive, headers: Headers, most: int) -> bytes:
    """Read a body that is no longer than it may be; Problem 413 as soon as that is known."""
    told = headers.get("content-length", "0")
    if told.isascii() and told.isdigit() and int(told[:20]) > most:
        raise Problem(413, say("body_too_large", most=most))
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(408, say("body_cut"))
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise Problem(413, say("body_too_large", most=most))
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand a body that was read on to the application; after it comes what really comes."""
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
