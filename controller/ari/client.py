"""aioari, fenced in: its operations from Asterisk's own API description stay, everything that runs is ours.

The library reads the description from the server it talks to, so an operation this Asterisk lacks is an error at
start and not at night. What it does with it at run time has defects that lose calls (docs/asterisk-facts.md, part 3):
no reconnect, a stream that ends in silence, listeners that are never removed, query values and bodies Asterisk does
not read as meant, the password in every URL. So the HTTP client, the running of an operation and the event stream are
replaced; its listeners and models are closed off. This is the only module that imports it; the way out, should it
stop working, is to read the twelve description files ourselves.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import quote, urlsplit

import aioari
import aioari.client
import aiohttp
from aioswagger11.client import Operation as SwaggerOperation
from aioswagger11.http_client import HttpClient
from aioswagger11.processors import SwaggerError

from controller.ari.operation import Operation
from controller.ari.pool import NotListeningError, Pool, Reply, reason
from controller.ari.shape import a_text, an_object, parse
from controller.errors import TelephoneError

COMMAND_LIMIT_S: Final = 2.0
CLOSE_LIMIT_S: Final = 0.5
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
_REASON_CHARS_MAX: Final = 160
_OK: Final = range(200, 300)


class RefusedError(TelephoneError):
    """Asterisk answered, and the answer was no. `status` is its HTTP status."""

    def __init__(self, operation: str, status: int, reason: str) -> None:
        super().__init__(f"Asterisk refused {operation} ({status}): {reason}")
        self.operation = operation
        self.status = status


class TooOldError(TelephoneError):
    """This Asterisk's API description lacks an operation or parameter we need: no retry will help."""


class Answer:
    """A reply in the shape aioari's own code expects of aiohttp."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self._body = reply.body

    async def text(self) -> str:
        """The body as text."""
        return self._body.decode("utf-8", "replace")


class AriHttp(HttpClient):  # type: ignore[misc]  # aioswagger11 has no types
    """Our HTTP: a kept-alive pool, the password in a header only, a time limit on everything."""

    def __init__(self, url: str, user: str, password: str) -> None:
        parts = urlsplit(url if url.endswith("/") else url + "/")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise TelephoneError("the ARI url must look like http://127.0.0.1:8088")
        self.tls = parts.scheme == "https"
        self.root = parts.path
        self.base = f"{parts.scheme}://{parts.netloc}{parts.path}"
        token = b64encode(f"{user}:{password}".encode()).decode("ascii")
        self.headers = {"Authorization": f"Basic {token}"}
        self._head = f" HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Basic {token}\r\n".encode("ascii")
        port = parts.port or (443 if self.tls else 80)
        self.pool = Pool(parts.hostname, port, tls=ssl.create_default_context() if self.tls else None)

    def compose(self, method: str, target: str, body: bytes = b"") -> bytes:
        """One request to `target` (path and query, already quoted) as it goes over the wire."""
        line = f"{method} {target}".encode("ascii") + self._head
        kind = b"Content-Type: application/json\r\n" if body else b""
        return line + kind + b"Content-Length: %d\r\n\r\n" % len(body) + body

    async def send(self, method: str, target: str, body: bytes = b"", limit_s: float = COMMAND_LIMIT_S) -> Reply:
        """One request and its reply; NoReplyError when none came in time."""
        return await self.pool.request(self.compose(method, target, body), limit_s)

    async def request(self, method: str, url: str, **_: object) -> Answer:
        """What aioswagger11 asks while it reads the API description; every other request goes by `send`."""
        parts = urlsplit(url)
        reply = await self.send(method, parts.path if parts.path.startswith(self.root) else self.root + parts.path[1:])
        if reply.status not in _OK:
            raise RefusedError("the API description", reply.status, reason_of(reply))
        return Answer(reply)

    async def close(self) -> None:
        """Close every connection."""
        self.pool.close()


class AriClient(aioari.client.Client):  # type: ignore[misc]  # aioari has no types
    """Requests by the name of an operation (`channels.answer`), and the event stream: all that is used of aioari."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.http = AriHttp(url, user, password)
        self._operations: dict[str, Operation] = {}
        super().__init__(self.http.base, self.http)

    async def describe(self, needed: Mapping[str, Iterable[str]]) -> None:
        """Read the API description; TelephoneError names what of `needed` (operation, parameters) is missing."""
        try:
            await self.init()
        except (SwaggerError, KeyError, TypeError, ValueError, AttributeError) as wrong:
            raise TelephoneError(f"Asterisk's API description cannot be read: {wrong}") from None
        missing = []
        for name, parameters in needed.items():
            room, _, nickname = name.partition(".")
            resource = self.swagger.get_resource(room)
            oper = resource.get_operation(nickname) if resource else None
            if oper is None:
                missing.append(name)
                continue
            self._operations[name] = compiled(name, oper, self.http.root)
            missing += [f"{name}({one})" for one in parameters if one not in self._operations[name].kinds]
        if missing:
            raise TooOldError(f"this Asterisk's ARI lacks what we need: {', '.join(missing)}")

    async def ask(self, operation: str, parameters: Mapping[str, object], limit_s: float = COMMAND_LIMIT_S) -> Reply:
        """Carry out an operation and return the reply, whatever its status; NoReplyError when there is none."""
        method, target, body = self._operations[operation].encode(parameters)
        return await self.http.send(method, target, body, limit_s)

    async def ask_together(self, asks: Iterable[tuple[str, Mapping[str, object]]]) -> list[Reply]:
        """Several operations in one piece, carried out in this order whatever becomes of each; their replies."""
        pieces = [self.http.compose(*self._operations[name].encode(parameters)) for name, parameters in asks]
        return await self.http.pool.requests(b"".join(pieces), COMMAND_LIMIT_S, len(pieces))

    async def get(self, operation: str, parameters: Mapping[str, object], none: int = 0) -> object:
        """Carry out a reading operation and return its parsed body; RefusedError unless Asterisk agreed.

        `none` is a status that means there is nothing to read: None is returned.
        """
        reply = await self.ask(operation, parameters)
        if reply.status == none:
            return None
        if reply.status not in _OK:
            raise RefusedError(operation, reply.status, reason_of(reply))
        return parse(reply.body)

    async def listen(self, app: str) -> Stream:
        """Open the event stream of `app`; TelephoneError when Asterisk does not let us."""
        session = aiohttp.ClientSession(headers=self.http.headers)
        scheme = "wss" if self.http.tls else "ws"
        url = f"{scheme}{self.http.base[self.http.base.index(':') :]}ari/events?app={quote(app, safe='')}"
        limit = aiohttp.ClientWSTimeout(ws_close=CLOSE_LIMIT_S)
        try:
            async with asyncio.timeout(COMMAND_LIMIT_S):
                socket = await session.ws_connect(url, autoping=False, max_msg_size=FRAME_BYTES_MAX, timeout=limit)
        except (aiohttp.ClientError, OSError) as wrong:  # a TimeoutError is an OSError
            await session.close()
            refused = isinstance(getattr(wrong, "os_error", wrong), ConnectionRefusedError)
            kind = NotListeningError if refused else TelephoneError
            raise kind(f"no event stream from Asterisk: {reason_for(wrong)}") from None
        except BaseException:
            await session.close()
            raise
        return Stream(session, socket)

    async def close(self) -> None:
        """Close every connection but those of open streams."""
        await self.http.close()

    # -- what aioari offers and we close off or mend -----------------------------------------------------------------

    async def run_operation(self, oper: SwaggerOperation, **kwargs: object) -> Answer:
        """The same for aioari's own surface (`client.channels.get(…)`): our encoding, and typed errors."""
        name = str(oper.json["nickname"])
        method, target, body = compiled(name, oper, self.http.root).encode(kwargs)
        reply = await self.http.send(method, target, body)
        if reply.status not in _OK:
            raise RefusedError(name, reply.status, reason_of(reply))
        return Answer(reply)

    async def run(self, apps: object, **_: object) -> NoReturn:
        """Closed off: aioari's own loop ends without a word when the socket is cut."""
        raise NotImplementedError("listen() and its Stream are the event stream")

    def on_event(self, event_type: str, event_cb: object, *args: object, **kwargs: object) -> NoReturn:
        """Closed off: aioari never removes the listeners of calls that have ended."""
        raise NotImplementedError("events are read from a Stream, not from listeners")

    def __getattr__(self, item: str) -> Any:
        """A repository of the API description; before it is read there is none (aioari recurses for ever here)."""
        found = self.__dict__.get("repositories", {}).get(item)
        if found is None:
            raise AttributeError(f"no ARI resource {item!r}")
        return found


class Stream:
    """The open event stream. Frames end, and the end says why, only by `StreamEndedError`."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._socket = socket

    async def frames(self) -> AsyncIterator[str | bytes | None]:
        """Every message as text; None for a pong. Never ends without `StreamEndedError`."""
        receive = self._socket.receive
        while True:
            message = await receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                    yield message.data
                case aiohttp.WSMsgType.PONG:
                    yield None
                case aiohttp.WSMsgType.PING:
                    await self._socket.pong(message.data)
                case _:
                    raise StreamEndedError(self._why(message))

    async def ping(self) -> None:
        """Ask for a pong."""
        await self._socket.ping()

    async def close(self) -> None:
        """Close, waiting for the other side at most half a second."""
        await self._socket.close()
        await self._session.close()

    def _why(self, message: aiohttp.WSMessage) -> str:
        error = self._socket.exception()
        if error is not None:
            return reason_for(error)
        code = message.data if isinstance(message.data, int) else self._socket.close_code
        return f"Asterisk closed the event stream (code {code})"


class StreamEndedError(TelephoneError):
    """The event stream was cut; the message says how."""


def compiled(name: str, oper: SwaggerOperation, root: str) -> Operation:
    """Our encoder for an operation as aioswagger11 describes it; its idea of the server's address is left aside."""
    path = urlsplit(str(oper.uri)).path
    below = path[path.index("/ari/") + 1 :]
    return Operation(name, str(oper.json["httpMethod"]), f"{root}{below}", oper.json.get("parameters", []))


def reason_of(reply: Reply) -> str:
    """Asterisk's own words for a refusal."""
    said = an_object(parse(reply.body))
    return clean(a_text(said.get("message")) or a_text(said.get("error")) or "no reason given")


def reason_for(error: BaseException) -> str:
    """Why a connection failed, without its URL."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port} does not answer ({reason(error.os_error)})"
    if isinstance(error, ConnectionError):
        return "the connection was cut"
    if isinstance(error, aiohttp.WSServerHandshakeError):
        words = {401: "the ARI user or password is wrong", 404: "ARI is not enabled there"}
        return words.get(error.status, f"HTTP status {error.status}")
    return clean(str(error) or type(error).__name__)


def clean(text: str) -> str:
    """One printable line."""
    return "".join(c if c.isprintable() else " " for c in text[:_REASON_CHARS_MAX])
