"""Asterisk as the engine sees it: commands go in, events come out, and the link between them mends itself.

`run_link` keeps the event stream open. Its reader waits for nothing but the socket: a reader that stops is cut off
by Asterisk within 3 s and every new call fails (docs/asterisk-facts.md, A9).

After every connect: the socket first, then the owner is told `SYNCING` (hold events back, watch the phones, take a
snapshot, call `synced`), because Asterisk replays nothing and what was missed must be looked up.

Invariant: after `ApplicationReplaced` no request leaves this process. Asterisk does not close the old socket, and two
controllers that both command would fight over every call.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog

from controller.ari.client import (
    AriClient,
    RefusedError,
    Stream,
    StreamEndedError,
    TooOldError,
    reason_of,
)
from controller.ari.link import BACKOFF_MAX_S, NOT_LISTENING_MAX_S, Link, LinkState, Turn
from controller.ari.notices import Entered, Finished, Left, Notice, Odd, Replaced
from controller.ari.pool import NotListeningError, Reply
from controller.ari.pulse import Pulse
from controller.ari.requests import OPERATIONS, Ask, plan, undo
from controller.ari.snapshot import Lists, read
from controller.ari.subscriptions import ANY_OK, Subscriptions, is_endpoint
from controller.ari.waiters import Waiters, heard_within
from controller.ari.wire import INBOUND, Ears
from controller.core.commands import Command, HangUp
from controller.core.events import SnapshotTaken, TrunkSeen
from controller.errors import LeadLostError, TelephoneError
from controller.ports import EventSink
from controller.settings import Ari

TRUNKS_AT_ONCE: Final = 4
"""Trunks asked about at the same time: the connections for commands are few, and calls come first."""
RELOAD_LIMIT_S: Final = 10.0
SECOND_TRY_S: Final = 0.25
"""Until a command is tried again that found nobody listening: by then a cut is known for what it is, or is over. A leg
that is not wanted any more is hung up twice whatever the reason: it may hear what is not meant for it."""

KEPT: Final = "TD_KEPT"
REPORT: Final[Mapping[str, object]] = {
    "endpoint": "Local/s@tongdai-report/n",
    "context": "tongdai-report",
    "extension": "T",
    "priority": 1,
    "timeout": 20,
}
"""The far side runs the dialplan and is never answered, so this side goes nowhere: it rings until that one ends."""

OnLink = Callable[[LinkState], None]
Prove = Callable[[], Awaitable[None]]
"""Returns when nobody else can lead, LeadLostError when somebody does."""

_log = structlog.get_logger("ari")


class AriTelephone:
    """The telephone of `controller.ports`. `odd` counts messages that were not understood, by reason."""

    def __init__(self, settings: Ari, prove: Prove | None = None) -> None:
        """With `prove` another controller may lead one day: it is asked before each connect."""
        self._prove = prove
        self._pulse = Pulse()
        self.odd: dict[str, int] = {}
        self._settings = settings
        self._app = settings.app
        self._link = Link()
        self._ears = Ears(settings.app)
        self._waiters = Waiters()
        self._subscriptions = Subscriptions(settings.app, self._send)
        self._client: AriClient | None = None
        self._phones: tuple[str, ...] = ()
        self._trunks: frozenset[str] = frozenset()
        self._on_link: OnLink = lambda _: None

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        return self._link.state

    @property
    def latency_s(self) -> float:
        """How long Asterisk took to answer the last ping of the event stream, seconds."""
        return self._pulse.latency_s

    @property
    def unknown_phones(self) -> tuple[str, ...]:
        """Phones we were to watch and that Asterisk does not know."""
        return self._subscriptions.unknown

    # -- what the engine asks ----------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Read Asterisk's API description ahead, so that the link is there sooner; TelephoneError when it is silent."""
        await self._described()

    async def run(self, command: Command) -> None:
        """Carry out one command; TelephoneError or ValueError when it is not done, LeadLostError when we may not."""
        if self._prove is not None:
            await self._still_ours()
        try:
            await self._do_or_try_again(command)
        except TelephoneError:
            for ask in undo(command):
                with contextlib.suppress(TelephoneError, LeadLostError):
                    await self._carry_out(ask)
            raise

    async def _do_or_try_again(self, command: Command) -> None:
        try:
            await self._do(command)
        except TelephoneError as wrong:
            if not isinstance(wrong, NotListeningError) and not isinstance(command, HangUp):
                raise
            await asyncio.sleep(SECOND_TRY_S)
            await self._do(command)

    async def _do(self, command: Command) -> None:
        asks = plan(command, self._app)
        if asks[0].on:
            await self._carry_out_together(asks)
            return
        for ask in asks:
            await self._carry_out(ask)

    async def snapshot(self) -> SnapshotTaken:
        """Everything Asterisk has now that concerns us; TelephoneError when it does not say."""
        if self._subscriptions.unknown and self._link.is_open:
            await self._subscriptions.watch(self._phones)
        known_before = tuple(self._ears.callers)
        replies = await asyncio.gather(
            self._read_as(list, "channels.list", {}),
            self._read_as(list, "bridges.list", {}),
            self._read_as(dict, "applications.get", {"applicationName": self._app}),
            self._read("endpoints.listByTech", {"tech": "PJSIP"}, none=404),  # an Asterisk without a single endpoint
            self._read_as(dict, "asterisk.getInfo", {"only": ["system", "status"]}),
        )
        snapshot = read(Lists(*replies), self._app, self._ears.phones, trunks=self._trunks)
        callers = {channel.id for channel in snapshot.channels if channel.role == INBOUND}
        self._ears.adopt(callers, known_before)
        for seen in snapshot.endpoints:
            self._ears.agree(seen.endpoint, seen.reachable)
        return snapshot

    async def watch_phones(self, endpoints: Sequence[str]) -> None:
        """Be told about these PJSIP endpoints and no others; those Asterisk does not know are in `unknown_phones`."""
        self._phones = tuple(endpoints)
        self._ears.phones = frozenset(endpoints)
        if not self._link.is_open:
            return
        before = self.unknown_phones
        await self._subscriptions.watch(self._phones)
        if self.unknown_phones and self.unknown_phones != before:
            _log.warning("phones that Asterisk does not know", endpoints=self.unknown_phones)

    def know_trunks(self, endpoints: Sequence[str]) -> None:
        """The endpoints of trunks: snapshots and `trunk_states` tell of them. Nothing is subscribed: a trunk's every
        channel would be told, and twice for callers.
        """
        self._trunks = frozenset(endpoints)

    async def trunk_states(self) -> tuple[TrunkSeen, ...]:
        """Which trunks answer Asterisk's OPTIONS now, one small request each; TelephoneError when it does not say."""
        if not self._link.is_open:
            return ()
        asked = [name for name in sorted(self._trunks) if is_endpoint(name)]
        found: list[TrunkSeen] = []
        for start in range(0, len(asked), TRUNKS_AT_ONCE):
            names = asked[start : start + TRUNKS_AT_ONCE]
            wanted = [self._read("endpoints.get", {"tech": "PJSIP", "resource": name}, none=404) for name in names]
            for name, told in zip(names, await asyncio.gather(*wanted), strict=True):
                if isinstance(told, dict):
                    found.append(TrunkSeen(name, told.get("state") != "offline"))
        return tuple(found)

    async def reload(self, module: str) -> None:
        """Let Asterisk read a module's configuration anew; TelephoneError when it does not."""
        reply = await self._send("asterisk.reloadModule", {"moduleName": module}, RELOAD_LIMIT_S)
        if reply.status not in ANY_OK:
            raise RefusedError("asterisk.reloadModule", reply.status, reason_of(reply))

    async def set_global(self, name: str, value: str) -> None:
        """Set a variable every dialplan context sees; TelephoneError when Asterisk does not."""
        reply = await self._send("asterisk.setGlobalVar", {"variable": name, "value": value})
        if reply.status not in ANY_OK:
            raise RefusedError("asterisk.setGlobalVar", reply.status, reason_of(reply))

    async def kept(self) -> bool:
        """Whether the dialplan says that it served calls by itself and has not told us yet."""
        found = await self._read("asterisk.getGlobalVar", {"variable": KEPT}, none=404)
        return isinstance(found, dict) and found.get("value") == "1"

    async def ask_kept(self) -> None:
        """Let the dialplan tell (by FastAGI) the calls it served by itself; TelephoneError when it does not begin.

        ARI may not read Asterisk's database (docs/asterisk-facts.md, A12); the dialplan may, so it is rung.
        """
        reply = await self._send("channels.originate", REPORT)
        if reply.status not in ANY_OK:
            raise RefusedError("channels.originate", reply.status, reason_of(reply))

    # -- the link ----------------------------------------------------------------------------------------------------

    async def run_link(self, sink: EventSink, on_link: OnLink) -> None:
        """Keep the event stream open until cancelled; `on_link` hears of every change, at once and in order.

        LeadLostError when another controller took our place, TooOldError when this Asterisk lacks what we need.
        """
        self._on_link = on_link
        said, refused = "", False
        while True:
            if self._prove is not None:
                await self._prove()
            why = await self._live_once(sink)
            if self._link.state is LinkState.REPLACED:
                raise LeadLostError(f"another controller connected as {self._app}")
            self._waiters.fail_all(str(why))
            said = self._say(str(why), said)
            self._move(Turn.CUT)
            was_refused, refused = refused, isinstance(why, NotListeningError)
            if was_refused and not refused:
                self._link = self._link.come_up()
            max_s = NOT_LISTENING_MAX_S if refused else BACKOFF_MAX_S
            await asyncio.sleep(self._link.pause_s(random.random(), max_s))  # noqa: S311  # jitter, not a secret
            self._move(Turn.RETRIED)

    def _say(self, why: str, said_before: str) -> str:
        """One line for a cut, one for every new reason why it is not mended yet."""
        if self._link.is_open or why != said_before:
            _log.warning("no link to Asterisk", why=why)
        return why

    def synced(self) -> None:
        """The owner took a snapshot: from now on what is heard is the whole truth."""
        self._move(Turn.SYNCED)

    async def close(self) -> None:
        """Close the connections for commands; the event stream ends with the task of `run_link`."""
        if self._client is not None:
            await self._client.close()

    async def _live_once(self, sink: EventSink) -> BaseException:
        """One life of the link; returns why it ended."""
        try:
            stream = await self._open()
        except TooOldError:
            raise
        except TelephoneError as wrong:
            return wrong
        self._ears.forget()
        self._subscriptions.forget()
        self._pulse.begin(stream)
        self._move(Turn.OPENED)
        works = (self._listen(stream, sink), self._pulse.keep(stream), self._warm())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).exception() or StreamEndedError("it ended without a reason")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._pulse.end()
            await stream.close()

    async def _open(self) -> Stream:
        client = await self._described()
        stream = await client.listen(self._app)
        try:
            await self._subscriptions.narrow()
        except BaseException:
            await stream.close()
            raise
        return stream

    async def _described(self) -> AriClient:
        if self._client is None:
            client = AriClient(self._settings.url, self._settings.user, self._settings.password)
            try:
                await client.describe(OPERATIONS)
            except BaseException:
                await client.close()
                raise
            self._client = client
        return self._client

    async def _warm(self) -> None:
        if self._client is not None:
            with contextlib.suppress(TelephoneError):
                await self._client.http.pool.warm()

    async def _listen(self, stream: Stream, sink: EventSink) -> None:
        hear, heard = self._ears.hear, self._pulse.heard
        async for frame in stream.frames():
            heard(pong=frame is None)
            if frame is None:
                continue
            for item in hear(frame):
                if isinstance(item, Notice):
                    self._notice(item)
                    continue
                sink(item)

    def _notice(self, notice: Notice) -> None:
        match notice:
            case Entered(channel):
                self._waiters.happened("entered", channel)
            case Finished(playback):
                self._waiters.happened("finished", playback)
            case Left(channel):
                self._waiters.never("entered", channel, "the channel was gone before it could be used")
            case Odd(why):
                self.odd[why] = self.odd.get(why, 0) + 1
            case Replaced():
                self._move(Turn.REPLACED)
                if self._client is not None:
                    self._client.http.pool.close()
                raise StreamEndedError("another controller took over")

    async def _still_ours(self) -> None:
        """Command only when the event stream is ours."""
        try:
            await self._pulse.beats()
        except StreamEndedError:
            if self._link.state is LinkState.REPLACED:
                raise LeadLostError(f"another controller connected as {self._app}") from None
            raise

    def _move(self, turn: Turn) -> None:
        before, self._link = self._link, self._link.after(turn)
        lost_before_open = self._link.state is LinkState.LOST and not before.is_open
        if self._link.state is not before.state and not lost_before_open:
            self._on_link(self._link.state)

    # -- requests ----------------------------------------------------------------------------------------------------

    async def _carry_out(self, ask: Ask) -> None:
        if ask.wait is None:
            await self._done(ask)
            return
        if not self._link.is_open:
            raise TelephoneError("there is no event stream from Asterisk, and this command needs one")
        with self._waiters.expect(ask.wait) as heard:
            if await self._done(ask):
                await heard_within(heard, ask.wait)

    async def _carry_out_together(self, asks: Sequence[Ask]) -> None:
        replies = await self._who().ask_together((ask.operation, ask.parameters) for ask in asks)
        for ask, reply in zip(asks, replies, strict=True):
            self._agreed(ask, reply)

    async def _done(self, ask: Ask) -> bool:
        """Send; True when Asterisk agreed, False when the work was done already."""
        return self._agreed(ask, await self._send(ask.operation, ask.parameters))

    def _agreed(self, ask: Ask, reply: Reply) -> bool:
        if reply.status in ANY_OK:
            return True
        if reply.status in ask.done:
            return False
        raise RefusedError(ask.operation, reply.status, reason_of(reply))

    async def _read(self, operation: str, parameters: Mapping[str, object], none: int = 0) -> object:
        return await self._who().get(operation, parameters, none)

    async def _read_as(self, kind: type, operation: str, parameters: Mapping[str, object]) -> object:
        """The same, if it is what it must be: nothing in a list ends every call there is."""
        found = await self._read(operation, parameters)
        if not isinstance(found, kind):
            raise TelephoneError(f"Asterisk's reply to {operation} cannot be read")
        return found

    async def _send(self, operation: str, parameters: Mapping[str, object], limit_s: float | None = None) -> Reply:
        client = self._who()
        return await (
            client.ask(operation, parameters) if limit_s is None else client.ask(operation, parameters, limit_s)
        )

    def _who(self) -> AriClient:
        """The client, if we may still use it."""
        if self._link.state is LinkState.REPLACED:
            raise LeadLostError(f"another controller connected as {self._app}")
        if self._client is None:
            raise TelephoneError("Asterisk has not been reached yet")
        return self._client
