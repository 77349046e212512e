"""One call of a softphone, dialled or received: a dialog of RFC 3261 with its sound.

Three moments can be waited for: `ringing`, `up` and `ended`. `at` holds the event loop's time of each, so that a test
measures what a person at the phone would notice.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from controller.lab import sip
from controller.lab.rtp import Media

RETRY_S = 0.5
RETRY_MAX = 14


@dataclass(frozen=True, slots=True)
class Rule:
    """What a phone does by itself with an incoming call.

    It rings `ring_s` seconds and then sends `status`: 200 answers, 300 and above refuses, 0 never answers. After an
    answer it hangs up once `talk_s` seconds are over (None: never). A `silent` phone does not even say it rings.
    """

    ring_s: float = 0.0
    status: int = 200
    talk_s: float | None = None
    silent: bool = False


class Endpoint(Protocol):
    """The phone a call belongs to."""

    contact: str
    server: tuple[str, int]

    def send(self, message: sip.Message) -> None:
        """Put one message on the wire."""
        ...

    def via(self) -> str:
        """A Via of this phone with a fresh branch."""
        ...

    async def request(self, message: sip.Message) -> sip.Message | None:
        """Send a request, repeat it while nobody answers, and return the final response; None without one."""
        ...


class SipCall:
    """A dialog and its media. `invite` is the INVITE that began it, `status` how that INVITE ended (0: not yet).

    `deaf_to` are methods of the other side that this phone acts as if it had never heard; with `ACK` in it, a caller's
    phone does not acknowledge an answer either. `heard` counts what came in, by method.
    """

    def __init__(self, phone: Endpoint, invite: sip.Message, media: Media, *, incoming: bool) -> None:
        self.phone, self.invite, self.media, self.incoming = phone, invite, media, incoming
        self.id = invite.get("Call-ID")
        self.status = 0
        self.ended_by = ""
        self.deaf_to: frozenset[str] = frozenset()
        self.heard: dict[str, int] = {}
        self.ringing, self.up, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.at: dict[str, float] = {"invite": asyncio.get_running_loop().time()}
        self.on_end: Callable[[SipCall], None] | None = None
        self._remote_target = sip.uri_of(invite.get("Contact")) if incoming else invite.target
        self._local = f"{invite.get('To')};tag={secrets.token_hex(4)}" if incoming else invite.get("From")
        self._remote = invite.get("From") if incoming else invite.get("To")
        self._number = 100 if incoming else int(invite.get("CSeq").split(" ")[0])
        self._answered = asyncio.Event()
        self._cancel_wanted = False
        self._heard_of = False
        self._final: sip.Message | None = None

    @property
    def caller(self) -> str:
        """The number the caller shows (From)."""
        return sip.user_of(self.invite.get("From"))

    def moment(self, name: str) -> None:
        """Note when something happened and wake whoever waits for it."""
        event: asyncio.Event = getattr(self, name)
        if not event.is_set():
            self.at[name] = asyncio.get_running_loop().time()
            event.set()

    # what a person does

    async def answer(self) -> None:
        """Pick up an incoming call; returns once the other side has acknowledged, or the call is over."""
        if self._final is not None:
            return
        body = sip.offer(self.media_host, self.media.port)
        self._final = self._reply(200, "OK", body)
        self.status = sip.OK
        for _ in range(RETRY_MAX):  # a 200 is repeated until its ACK comes (RFC 3261, 13.3.1.4)
            self.phone.send(self._final)
            if await _within(self._answered, RETRY_S):
                return

    def refuse(self, status: int = 603) -> None:
        """Turn an incoming call down."""
        if self._final is None:
            self._final = self._reply(status, "No", "")
            self.status = status
            self.phone.send(self._final)
            self._over("us")

    def ring(self) -> None:
        """Say that the phone rings."""
        if self._final is None:
            self.respond(180, "Ringing")
            self.moment("ringing")

    def respond(self, status: int, reason: str, body: str = "", more: sip.Headers = ()) -> None:
        """Send one response to an incoming INVITE, whatever else is going on."""
        self.phone.send(self._reply(status, reason, body, more))

    async def hold(self) -> int:
        """Put the other side on hold by a re-INVITE; the status it was answered with (0: none)."""
        return await self._offer_again("sendonly")

    async def resume(self) -> int:
        """Take the other side back; the status the re-INVITE was answered with (0: none)."""
        return await self._offer_again("sendrecv")

    async def hangup(self) -> None:
        """End the call from this side, whatever its state: refuse, CANCEL or BYE."""
        if self.ended.is_set():
            return
        if self.incoming and self._final is None:
            self.refuse()
        elif not self.incoming and not self.up.is_set():
            await self._cancel()
        else:
            self._over("us")
            await self.phone.request(self.within("BYE"))

    async def press(self, keys: str, *, by_info: bool = False) -> None:
        """Press keys: RFC 4733 events in the sound, or SIP INFO (`application/dtmf-relay`)."""
        if not by_info:
            self.media.press(keys)
            return
        for key in keys:
            relay = ("Content-Type", "application/dtmf-relay")
            await self.phone.request(self.within("INFO", (relay,), f"Signal={key}\r\nDuration=100\r\n"))

    # what comes from the other side

    def on_request(self, request: sip.Message) -> None:
        """A request within this call."""
        self.heard[request.method] = self.heard.get(request.method, 0) + 1
        if request.method in self.deaf_to:
            return
        match request.method:
            case "ACK":
                self._answered.set()
                if self.status == sip.OK and not self.ended.is_set():
                    self._listen(self.invite.body or request.body)
                    self.moment("up")
            case "CANCEL":
                self.phone.send(sip.reply(request, 200, "OK"))
                if self._final is None:
                    self._final = self._reply(sip.TERMINATED, "Request Terminated", "")
                    self.status = sip.TERMINATED
                    self.phone.send(self._final)
                    self._over("them")
            case "BYE":
                self.phone.send(sip.reply(request, 200, "OK"))
                self._answered.set()
                self._over("them")
            case "INVITE":
                self._on_invite(request)
            case _:
                self.phone.send(sip.reply(request, 200, "OK"))

    def on_response(self, response: sip.Message) -> None:
        """A response to the INVITE this call was dialled with."""
        self._heard_of = True
        if response.status == sip.TRYING:
            pass
        elif response.status < sip.OK:
            self.moment("ringing")
        elif response.status < sip.REFUSED:
            self._on_answer(response)
        else:
            self._ack(response, self.invite.get("Via"))
            self.status = response.status
            self._over("us" if response.status == sip.TERMINATED else "them")
        if self._cancel_wanted and response.status < sip.OK:
            self._send_cancel()

    def challenged(self, again: sip.Message, challenge: sip.Message) -> None:
        """The INVITE was refused with 401 or 407 and goes out again with credentials."""
        self._ack(challenge, self.invite.get("Via"))
        self.invite = again
        self._number = int(again.get("CSeq").split(" ")[0])

    @property
    def media_host(self) -> str:
        """The address this phone hears on."""
        return sip.uri_of(self.phone.contact).partition("@")[2].partition(":")[0]

    def close(self) -> None:
        """Forget the call without a word, as a phone that loses its power does."""
        self._answered.set()
        self._over("us")

    def _on_invite(self, request: sip.Message) -> None:
        if request.get("CSeq") == self.invite.get("CSeq"):
            if self._final is not None:
                self.phone.send(self._final)
            return
        self._listen(request.body)
        body = sip.offer(self.media_host, self.media.port)
        self.phone.send(sip.reply(request, 200, "OK", contact=self.phone.contact, body=body))

    def _on_answer(self, response: sip.Message) -> None:
        self.heard["200"] = self.heard.get("200", 0) + 1
        self._remote = response.get("To")
        self._remote_target = sip.uri_of(response.get("Contact")) or self._remote_target
        if "ACK" not in self.deaf_to:
            self._ack(response, self.phone.via())
        if self.up.is_set():
            return
        self.status = sip.OK
        if self._cancel_wanted or self.ended.is_set():  # our CANCEL crossed their answer
            self.phone.send(self.within("BYE"))
            self._over("us")
            return
        self._listen(response.body)
        self.moment("up")

    def _listen(self, body: str) -> None:
        found = sip.media_of(body)
        if found is not None:
            self.media.start(*found)

    def _reply(self, status: int, reason: str, body: str, more: sip.Headers = ()) -> sip.Message:
        tag = sip.tag_of(self._local)
        return sip.reply(self.invite, status, reason, tag=tag, contact=self.phone.contact, body=body, more=more)

    async def _cancel(self) -> None:
        self._cancel_wanted = True
        if self._heard_of:  # before any response there is nothing to cancel (RFC 3261, 9.1)
            self._send_cancel()
        await _within(self.ended, RETRY_S * RETRY_MAX)

    def _send_cancel(self) -> None:
        keep = ("Via", "From", "To", "Call-ID")
        headers = tuple(pair for pair in self.invite.headers if pair[0] in keep)
        number = self.invite.get("CSeq").split(" ")[0]
        line = f"CANCEL {self.invite.target} SIP/2.0"
        self.phone.send(sip.Message(line, (*headers, ("CSeq", f"{number} CANCEL"), ("Max-Forwards", "70"))))

    def _ack(self, response: sip.Message, via: str) -> None:
        target = self._remote_target if response.status < sip.REFUSED else self.invite.target
        number = response.get("CSeq").split(" ")[0]
        headers = (("Via", via), ("From", self._local), ("To", response.get("To")), ("Call-ID", self.id))
        tail = (("CSeq", f"{number} ACK"), ("Max-Forwards", "70"))
        self.phone.send(sip.Message(f"ACK {target} SIP/2.0", (*headers, *tail)))

    async def _offer_again(self, way: str) -> int:
        body = sip.offer(self.media_host, self.media.port, way=way)
        invite = self.within("INVITE", (("Content-Type", "application/sdp"),), body)
        response = await self.phone.request(invite)
        if response is None:
            return 0
        self._ack(response, invite.get("Via") if response.status >= sip.REFUSED else self.phone.via())
        return response.status

    def within(self, method: str, extra: sip.Headers = (), body: str = "") -> sip.Message:
        """A new request of this side within the dialog, to be sent by whoever asked for it."""
        self._number += 1
        headers = (("Via", self.phone.via()), ("From", self._local), ("To", self._remote), ("Call-ID", self.id))
        tail = (("CSeq", f"{self._number} {method}"), ("Contact", self.phone.contact), ("Max-Forwards", "70"))
        return sip.Message(f"{method} {self._remote_target} SIP/2.0", (*headers, *tail, *extra), body)

    def _over(self, by: str) -> None:
        if not self.ended.is_set():
            self.ended_by = by
            self.moment("ended")
            self.media.close()
            if self.on_end is not None:
                self.on_end(self)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
