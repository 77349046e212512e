"""A SIP phone in the process, for demonstrations and for tests that need a hand on the receiver to the millisecond.

It registers with digest, takes and makes calls on loopback, speaks a tone of its own and hears who speaks. The
ordinary paths are SIPp's work too (`controller.lab.phones`): two SIP implementations keep each other honest.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine
from typing import Self

from controller.lab import sip
from controller.lab.rtp import Media
from controller.lab.sipcall import RETRY_MAX, RETRY_S, Rule, SipCall
from controller.lab.udp import Port

HOST = "127.0.0.1"
REGISTER_S = 300
CALLS_MAX = 1000


class RegistrationRefusedError(Exception):
    """Asterisk did not take this phone's registration."""


class Softphone:
    """One SIP user at one loopback address. `rule` says what it does with calls; `calls` holds every one it had."""

    def __init__(
        self,
        server: tuple[str, int],
        user: str = "caller",
        *,
        password: str = "",
        bind: tuple[str, int] = (HOST, 0),
        hz: int = 440,
        rule: Rule | None = None,
    ) -> None:
        self.server, self.user, self.password, self.hz = server, user, password, hz
        self.rule = rule or Rule()
        self.calls: list[SipCall] = []
        self._udp = Port(*bind, self._heard)
        self.at = self._udp.at
        self.contact = f"<sip:{user}@{self.at[0]}:{self.at[1]}>"
        self._arrived: asyncio.Queue[SipCall] = asyncio.Queue(CALLS_MAX)
        self._by_id: dict[str, SipCall] = {}
        self._responses: dict[str, asyncio.Queue[sip.Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._registered = False
        self._renewing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up everything, unregister, and give the socket back."""
        self._renewing = False
        await asyncio.gather(*(call.hangup() for call in self.calls if not call.ended.is_set()))
        if self._registered:
            await self.unregister()
        self.vanish()

    def vanish(self) -> None:
        """Lose power: no BYE, no un-registration, the port closed."""
        for call in self.calls:
            call.close()
        for task in self._tasks:
            task.cancel()
        self._udp.close()

    # registration

    async def register(self, expires_s: int = REGISTER_S) -> None:
        """Register (or, with 0, un-register); RegistrationRefusedError when Asterisk does not want us."""
        host, port = self.server
        whole = f"<sip:{self.user}@{host}:{port}>"
        names = (("Via", self.via()), ("From", f"{whole};tag={secrets.token_hex(4)}"), ("To", whole))
        terms = (("Call-ID", secrets.token_hex(8)), ("CSeq", "1 REGISTER"), ("Contact", self.contact))
        limits = (("Expires", str(expires_s)), ("Max-Forwards", "70"))
        request = sip.Message(f"REGISTER sip:{host}:{port} SIP/2.0", (*names, *terms, *limits))
        response = await self.request(request)
        if response is not None and response.status in {401, 407}:
            response = await self.request(sip.with_credentials(request, response, self.user, self.password))
        if response is None or response.status != sip.OK:
            raise RegistrationRefusedError(f"{self.user}: {response.start if response else 'no answer'}")
        self._registered = expires_s > 0

    async def stay_registered(self, expires_s: int = REGISTER_S) -> None:
        """Register, and again in good time, for as long as this phone is there."""
        await self.register(expires_s)
        self._renewing = True
        self._spawn(self._renew(expires_s))

    async def _renew(self, expires_s: int) -> None:
        while True:
            await asyncio.sleep(expires_s / 2)
            if not self._renewing:
                return
            with contextlib.suppress(RegistrationRefusedError):
                await self.register(expires_s)

    async def unregister(self) -> None:
        """Tell Asterisk that this phone is gone."""
        await self.register(0)

    # calls

    def dial(
        self,
        number: str,
        *,
        shown: str = "",
        name: str = "",
        sender: str = "",
        headers: sip.Headers = (),
        codec: tuple[int, str] = sip.PCMU,
    ) -> SipCall:
        """Begin a call and return at once; wait on the call's `ringing`, `up` and `ended`.

        `shown` is the number in From (the phone's user when empty), `sender` all of From, whatever it is; `headers` are
        added to the INVITE.
        """
        media = Media(self.at[0], self.hz)
        who = sender or f"{sip.quoted(name) if name else ''}<sip:{shown or self.user}@{self.at[0]}>"
        body = sip.offer(self.at[0], media.port, codec)
        call = self._new_call(self._invite(number, who, headers, body), media, incoming=False)
        self._spawn(self._drive(call))
        return call

    async def next_call(self, seconds: float = 20.0) -> SipCall:
        """The next call that comes in; TimeoutError when none does."""
        return await asyncio.wait_for(self._arrived.get(), seconds)

    def live(self) -> list[SipCall]:
        """The calls that have not ended."""
        return [call for call in self.calls if not call.ended.is_set()]

    # the wire

    def _heard(self, data: bytes) -> None:
        message = sip.parse(data)
        if message is None:
            return
        if message.status:
            queue = self._responses.get(message.transaction)
            if queue is not None and not queue.full():
                queue.put_nowait(message)
            return
        call = self._by_id.get(message.get("Call-ID"))
        if call is not None:
            call.on_request(message)
        elif message.method == "INVITE":
            call = self._new_call(message, Media(self.at[0], self.hz), incoming=True)
            self._arrived.put_nowait(call)
            self._spawn(_serve(call, self.rule))
        elif message.method != "ACK":
            known = message.method in {"OPTIONS", "NOTIFY"}
            self.send(sip.reply(message, 200, "OK") if known else sip.reply(message, 481, "No Such Call"))

    def send(self, message: sip.Message) -> None:
        """Put one message on the wire."""
        self._udp.send(message.encode(), self.server)

    def via(self) -> str:
        """A Via of this phone with a fresh branch."""
        return f"SIP/2.0/UDP {self.at[0]}:{self.at[1]};branch={sip.new_branch()};rport"

    async def request(self, message: sip.Message) -> sip.Message | None:
        """Send a request, repeat it while nobody answers, and return the final response; None without one."""
        queue = self._expect(message)
        try:
            for _ in range(RETRY_MAX):
                self.send(message)
                final = await _final(queue)
                if final is not None:
                    return final
        finally:
            self._responses.pop(message.transaction, None)
        return None

    def _invite(self, number: str, sender: str, headers: sip.Headers, body: str) -> sip.Message:
        host, server_port = self.server
        sender += f";tag={secrets.token_hex(4)}"
        names = (("Via", self.via()), ("From", sender), ("To", f"<sip:{number}@{host}:{server_port}>"))
        terms = (("Call-ID", secrets.token_hex(8)), ("CSeq", "1 INVITE"), ("Contact", self.contact))
        limits = (("Max-Forwards", "70"), ("Content-Type", "application/sdp"))
        line = f"INVITE sip:{number}@{host}:{server_port} SIP/2.0"
        return sip.Message(line, (*names, *terms, *limits, *headers), body)

    def _expect(self, message: sip.Message) -> asyncio.Queue[sip.Message]:
        queue: asyncio.Queue[sip.Message] = asyncio.Queue(20)
        self._responses[message.transaction] = queue
        return queue

    async def _drive(self, call: SipCall) -> None:
        queue = self._expect(call.invite)
        tried = False
        for _ in range(RETRY_MAX):
            self.send(call.invite)
            response = await _any(queue)
            if response is not None:
                break
        else:
            call.close()
            return
        while True:  # repeated answers want their ACK for as long as the call lives
            if response.status in {401, 407} and not tried:
                tried = True
                again = sip.with_credentials(call.invite, response, self.user, self.password)
                call.challenged(again, response)
                queue = self._expect(again)
                self.send(again)
            else:
                call.on_response(response)
            response = await queue.get()

    def _new_call(self, invite: sip.Message, media: Media, *, incoming: bool) -> SipCall:
        call = SipCall(self, invite, media, incoming=incoming)
        self.calls.append(call)
        self._by_id[call.id] = call
        return call

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _serve(call: SipCall, rule: Rule) -> None:
    if rule.silent:
        return
    call.ring()
    if rule.status == 0:
        return
    await asyncio.sleep(rule.ring_s)
    if rule.status != sip.OK:
        call.refuse(rule.status)
        return
    await call.answer()
    if rule.talk_s is not None and call.up.is_set():
        await asyncio.sleep(rule.talk_s)
        await call.hangup()


async def _any(queue: asyncio.Queue[sip.Message]) -> sip.Message | None:
    try:
        return await asyncio.wait_for(queue.get(), RETRY_S)
    except TimeoutError:
        return None


async def _final(queue: asyncio.Queue[sip.Message]) -> sip.Message | None:
    while True:
        response = await _any(queue)
        if response is None or response.status >= sip.OK:
            return response
