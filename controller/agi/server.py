"""The FastAGI server: limits, deadlines, and always an end. The only module that knows panoramisk.

panoramisk (asleep upstream since 2021) carries the application and its routes; everything that touches bytes is
overridden here, because as shipped a connection that is opened and closed freezes the event loop for ever, headers
have no limit, a repeated `agi_` line overwrites the first, a `HANGUP` line shifts every later answer by one, `520-`
blocks raise, a caller's name that is not UTF-8 ends the session, a route with a query is not found, and a handler's
cancellation is swallowed. The way out, should it stop working, is to drop the two base classes: what they still give
is a table of routes.

FastAGI has neither encryption nor authentication: we listen on loopback, look at the peer all the same, and believe a
header only after a round trip (`NOOP`), because a forged empty line in a caller's name would otherwise pass for the
header's end while its true rest is still on the way.

Asterisk waits for us without limit. So every session has an end: 2 s for the header, 300 ms for the dialogue. When
that passes we close with `TD_OK` unset, and the dialplan, which trusts nothing else, refuses the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import ipaddress
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from panoramisk import fast_agi

from controller.agi import protocol
from controller.agi.protocol import Garbage, Hangup, Header, HeaderReader, Reply, ReplyReader
from controller.agi.scripts import Script, SessionOverError

HEADER_S: Final = 2.0
DIALOGUE_S: Final = 0.3
CLOSE_S: Final = 1.0
SESSIONS_MAX: Final = 512
SESSION_BYTES_MAX: Final = 64 * 1024
READ_BYTES: Final = 4096
BACKLOG: Final = 512
REFUSAL_LOG_S: Final = 60.0
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
"""Who may ask, unless we are told otherwise."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.+*#@-]*")
"""What Asterisk's ARRAY() takes as it is."""

Meter = Callable[[str, str, float], None]
"""Told the script, the outcome (`done late hangup garbage refused`) and the seconds of each session."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may cost us. Seconds, bytes, sessions."""

    header_s: float = HEADER_S
    dialogue_s: float = DIALOGUE_S
    sessions_max: int = SESSIONS_MAX
    session_bytes_max: int = SESSION_BYTES_MAX


class Session(fast_agi.Request):  # type: ignore[misc]  # panoramisk has no types
    """One dialogue with one channel; the `Talk` of the scripts."""

    def __init__(self, app: Server, header: Header, wire: Wire, replies: ReplyReader) -> None:
        super().__init__(app, dict(header.values), wire.reader, wire.writer)
        self.header = header
        self.hungup = False
        self._wire = wire
        self._replies = replies

    async def send_command(self, command: str, *arguments: str) -> Reply:
        """Send one command and wait for its own answer; a HANGUP in between is noted, not taken for it."""
        self._wire.writer.write(protocol.encode(command, *arguments))
        await self._wire.writer.drain()
        while True:
            said = self._replies.next()
            if isinstance(said, Reply):
                return said
            if isinstance(said, Hangup):
                self.hungup = True
            elif isinstance(said, Garbage):
                raise SessionOverError("garbage", said.why)
            else:
                self._replies.feed(await self._wire.read())

    async def set(self, name: str, value: str) -> None:
        """Set a channel variable; the session is over when Asterisk did not do it or the caller is gone."""
        reply = await self.send_command("SET VARIABLE", name, value)
        if self.hungup:
            raise SessionOverError("hangup", "the caller is gone")
        if not reply.ok:
            raise SessionOverError("refused", f"SET VARIABLE was answered with {reply.code}")

    async def set_all(self, values: Mapping[str, str]) -> None:
        """Set several channel variables in this order, by one command: each costs a round trip."""
        if not all(_PLAIN.fullmatch(value) for value in values.values()):
            raise SessionOverError("refused", "a value that ARRAY() would take apart")
        await self.set(f"ARRAY({','.join(values)})", ",".join(values.values()))


class Wire:
    """The two ends of one connection, with a count of what came in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bytes_max: int) -> None:
        self.reader = reader
        self.writer = writer
        self._left = bytes_max

    async def read(self) -> bytes:
        """Wait for bytes; the session is over at their end, and past its share."""
        data = await self.reader.read(READ_BYTES)
        if not data:
            raise SessionOverError("hangup", "the peer closed")
        self._left -= len(data)
        if self._left < 0:
            raise SessionOverError("garbage", "more bytes than a session may send")
        return data

    async def header(self, reader: HeaderReader) -> Header:
        """Wait for a whole header."""
        while True:
            found = reader.feed(await self.read())
            if isinstance(found, Garbage):
                raise SessionOverError("garbage", found.why)
            if found is not None:
                return found

    async def close(self) -> None:
        """Close, and do not wait for a peer that does not read."""
        self.writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.writer.wait_closed()


class Server(fast_agi.Application):  # type: ignore[misc]  # panoramisk has no types
    """Answers `AGI(agi://host:port/SCRIPT,…)` for the scripts it was given."""

    def __init__(
        self,
        scripts: Mapping[str, Script],
        peers: tuple[str, ...] = LOOPBACK,
        limits: Limits = Limits(),
        meter: Meter | None = None,
    ) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.limits = limits
        self._peers = tuple(ipaddress.ip_network(peer) for peer in peers)
        self._known: dict[str, bool] = {}
        self._meter: Meter = meter or (lambda _script, _outcome, _seconds: None)
        self._sessions: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._log = structlog.get_logger("agi")
        self._refused = 0
        self._refused_said_at = -REFUSAL_LOG_S
        for path, script in scripts.items():
            self.add_route(path, script)

    def add_route(self, path: str, endpoint: Script) -> None:
        """Serve one more script; panoramisk's own way calls what newer Pythons have removed."""
        if not inspect.iscoroutinefunction(endpoint):
            raise TypeError(f"the script of {path} is not a coroutine function")
        if path in self._route:
            raise ValueError(f"a script serves {path} already")
        self._route[path] = endpoint

    @property
    def port(self) -> int:
        """The port we listen on; 0 while we do not."""
        return int(self._listener.sockets[0].getsockname()[1]) if self._listener and self._listener.sockets else 0

    @property
    def state(self) -> str:
        """`ok` while we listen, else `down`: the `agi` part of readiness."""
        return "ok" if self._listener is not None and self._listener.is_serving() else "down"

    async def start(self, host: str, port: int) -> None:
        """Begin to listen; OSError when the address is taken."""
        self._listener = await asyncio.start_server(
            self.handler, host, port, limit=protocol.HEADER_BYTES_MAX, backlog=BACKLOG
        )

    async def start_on(self, reserved: socket.socket) -> None:
        """Begin to listen on an address that was reserved (`reserve`)."""
        self._listener = await asyncio.start_server(
            self.handler, sock=reserved, limit=protocol.HEADER_BYTES_MAX, backlog=BACKLOG
        )

    async def finish(self) -> None:
        """Stop listening and let the sessions under way come to their end, which is near by their own limits."""
        if self._listener is not None:
            self._listener.close()
        if self._sessions:
            await asyncio.wait(tuple(self._sessions), timeout=self.limits.dialogue_s)

    async def close(self) -> None:
        """Stop listening and end every session: their calls are refused by the dialplan."""
        if self._listener is not None:
            self._listener.close()
        for task in tuple(self._sessions):
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        self._listener = None

    async def handler(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection from its first byte to its last, whoever it is."""
        wire = Wire(reader, writer, self.limits.session_bytes_max)
        if not self._admitted(writer):
            await wire.close()
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this as a task
        self._sessions.add(task)
        try:
            await self._serve(wire)
        finally:
            self._sessions.discard(task)
            await wire.close()

    def _admitted(self, writer: asyncio.StreamWriter) -> bool:
        """Whether this peer may talk to us, and there is room; refusals are logged once a minute."""
        peer = (writer.get_extra_info("peername") or ("",))[0]
        known = self._known.get(peer)
        if known is None:
            known = _address_in(peer, self._peers)
            if known:
                # Few may ask at all; strangers are not kept, of whom there may be many.
                self._known[peer] = known
        if known and len(self._sessions) < self.limits.sessions_max:
            return True
        self._refused += 1
        self._meter("", "refused", 0.0)
        now = self.loop.time()
        if now - self._refused_said_at >= REFUSAL_LOG_S:
            why = "too many sessions" if known else "peer not allowed"
            self._log.warning("agi_refused", why=why, peer=peer, refused=self._refused)
            self._refused, self._refused_said_at = 0, now
        return False

    async def _serve(self, wire: Wire) -> None:
        """Run the dialogue of one connection; every way out is counted, none is an exception."""
        began = self.loop.time()
        path, outcome, why = "", "done", ""
        try:
            reader = HeaderReader()
            async with asyncio.timeout(self.limits.header_s):
                header = await wire.header(reader)
            path = header.path if header.path in self._route else "unknown"
            async with asyncio.timeout(self.limits.dialogue_s):
                await self._talk(header, Session(self, header, wire, ReplyReader(reader.lines)))
        except SessionOverError as over:
            outcome, why = over.outcome, over.why
        except TimeoutError:
            outcome, why = "late", "no dialogue in time" if path else "no header in time"
        except OSError as error:
            outcome, why = "hangup", error.strerror or type(error).__name__
        except Exception as error:  # noqa: BLE001 - one session's mistake may not end the side door
            outcome, why = "failed", type(error).__name__
            self._log.error("agi_script_failed", script=path, exc_info=error)
        seconds = self.loop.time() - began
        self._meter(path, outcome, seconds)
        if outcome not in {"done", "hangup"}:
            self._log.warning("agi_session", script=path, outcome=outcome, why=why, ms=round(seconds * 1000))

    async def _talk(self, header: Header, session: Session) -> None:
        """Believe the header after a round trip, then run the script it asks for."""
        script = self._route.get(header.path)
        if script is None:
            raise SessionOverError("garbage", "no such script")
        reply = await session.send_command("NOOP")
        if reply.code != 200:  # noqa: PLR2004 - the protocol's own number
            raise SessionOverError("garbage", "NOOP was refused")
        await script(session)


def reserve(host: str, port: int) -> socket.socket:
    """Take an address and answer nobody yet, so that the dialplan is refused at once and asks elsewhere.

    OSError when somebody else has it.
    """
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.setblocking(False)
    except BaseException:
        found.close()
        raise
    return found


def _address_in(peer: str, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]) -> bool:
    """Whether an address is in one of the networks."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address.version == network.version and address in network for network in networks)
