"""A farm of phones for load: hundreds of agents behind one socket, and callers who call again as they are let go.

Lean on purpose, because it shares two cores with what it measures: no sound but one packet (Asterisk's answer waits
for the first), no retransmissions, answers by template. Both systems under comparison meet the same farm.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.lab import sip
from controller.lab.udp import Port

RING_S = 0.05
_MEDIA = re.compile(rb"m=audio (\d+) ")
_NUMBERS = itertools.count(1)
"""Of calls and transactions, one row for every farm of a run: a branch used again within 32 s is a retransmission to
Asterisk, which answers it from memory and does nothing; the calls of the second farm would never end."""
_SILENCE = b"\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01" + b"\xff" * 160


def _sdp(host: str, port: int) -> str:
    return sip.offer(host, port)


@dataclass(slots=True)
class _Dialog:
    invite: sip.Message
    tag: str
    talking: bool = False
    bye: asyncio.TimerHandle | None = None


@dataclass
class Agents:
    """Agents `a0`…: each rings `RING_S`, talks between the two `talk_s`, hangs up.

    `idle_ms` is the time from an agent's BYE to the next INVITE at that phone; `twice` counts phones rung while busy.
    """

    host: str
    port: int
    asterisk: tuple[str, int]
    talk_s: tuple[float, float]
    idle_ms: list[float] = field(default_factory=list)
    answered: int = 0
    twice: int = 0
    measuring: bool = False
    rung: Callable[[sip.Message], None] = lambda _invite: None

    def __post_init__(self) -> None:
        self._port = Port(self.host, self.port, self._heard)
        self._dialogs: dict[str, _Dialog] = {}
        self._busy: dict[str, str] = {}
        self._free_at: dict[str, float] = {}
        self._branch = _NUMBERS
        self._dice = random.Random(1)  # noqa: S311  # the same talks in every run
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Take the socket down."""
        self._port.close()

    def _heard(self, data: bytes) -> None:
        message = sip.parse(data)
        if message is None or message.status:
            return
        handler = {"INVITE": self._invited, "ACK": self._acked, "BYE": self._ended, "CANCEL": self._cancelled}.get(
            message.method, self._agreed
        )
        handler(message)

    def _send(self, message: sip.Message) -> None:
        self._port.send(message.encode(), self.asterisk)

    def _invited(self, invite: sip.Message) -> None:
        now, call, user = time.perf_counter(), invite.get("Call-ID"), sip.user_of(invite.target)
        if call in self._dialogs:
            return
        self.rung(invite)
        if user in self._busy:
            self.twice += 1
        freed = self._free_at.pop(user, None)
        if freed is not None and self.measuring:
            self.idle_ms.append(1000 * (now - freed))
        self._busy[user] = call
        dialog = self._dialogs[call] = _Dialog(invite, f"t{next(self._branch)}")
        self._send(self._reply(dialog, 180, "Ringing"))
        self._loop.call_later(RING_S, self._answer, call)

    def _reply(self, dialog: _Dialog, status: int, reason: str, body: str = "") -> sip.Message:
        contact = f"<sip:{sip.user_of(dialog.invite.target)}@{self.host}:{self.port}>"
        return sip.reply(dialog.invite, status, reason, tag=dialog.tag, contact=contact, body=body)

    def _answer(self, call: str) -> None:
        dialog = self._dialogs.get(call)
        if dialog is not None:
            self._send(self._reply(dialog, 200, "OK", _sdp(self.host, 40_000)))

    def _acked(self, ack: sip.Message) -> None:
        dialog = self._dialogs.get(ack.get("Call-ID"))
        if dialog is None or dialog.talking:
            return
        dialog.talking = True
        self.answered += self.measuring
        dialog.bye = self._loop.call_later(self._dice.uniform(*self.talk_s), self._hang_up, ack.get("Call-ID"))

    def _hang_up(self, call: str) -> None:
        dialog = self._dialogs.pop(call, None)
        if dialog is None:
            return
        user = sip.user_of(dialog.invite.target)
        target = sip.uri_of(dialog.invite.get("Contact"))
        via = f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bKb{next(self._branch)}"
        self._send(
            sip.Message(
                f"BYE {target} SIP/2.0",
                (
                    ("Via", via),
                    ("Max-Forwards", "70"),
                    ("From", f"{dialog.invite.get('To')};tag={dialog.tag}"),
                    ("To", dialog.invite.get("From")),
                    ("Call-ID", call),
                    ("CSeq", "1 BYE"),
                ),
            )
        )
        self._let_go(user, call)

    def _let_go(self, user: str, call: str) -> None:
        if self._busy.get(user) == call:
            del self._busy[user]
        self._free_at[user] = time.perf_counter()

    def _ended(self, bye: sip.Message) -> None:
        dialog = self._dialogs.pop(bye.get("Call-ID"), None)
        if dialog is not None:
            if dialog.bye is not None:
                dialog.bye.cancel()
            self._let_go(sip.user_of(dialog.invite.target), bye.get("Call-ID"))
        self._agreed(bye)

    def _cancelled(self, cancel: sip.Message) -> None:
        self._agreed(cancel)
        dialog = self._dialogs.pop(cancel.get("Call-ID"), None)
        if dialog is not None:
            self._send(self._reply(dialog, 487, "Request Terminated"))
            self._busy.pop(sip.user_of(dialog.invite.target), None)

    def _agreed(self, request: sip.Message) -> None:
        self._send(sip.reply(request, 200, "OK", tag="x"))


@dataclass
class Callers:
    """`count` callers to `number` from one address; each calls again `pause_s` after the end, if `again`."""

    host: str
    port: int
    asterisk: tuple[str, int]
    number: str
    pause_s: float = 0.01
    again: bool = True
    failed: int = 0
    done: int = 0
    measuring: bool = False
    begun: dict[str, float] = field(default_factory=dict)
    """When the calls began, by the last eight digits of their numbers; whoever wants them takes them out."""

    def __post_init__(self) -> None:
        self._port = Port(self.host, self.port, self._heard)
        self._tone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tone.bind((self.host, 0))
        self._calls: dict[str, sip.Message] = {}
        self._numbers = _NUMBERS
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Take the sockets down."""
        self.again = False
        self._port.close()
        self._tone.close()

    @property
    def up(self) -> int:
        """Calls that are not over."""
        return len(self._calls)

    def call(self) -> None:
        """Begin one call."""
        n = next(self._numbers)
        name = f"c{n}-{id(self)}@{self.host}"
        rtp = self._tone.getsockname()[1]
        self.begun[f"{n % 10**8:08d}"] = time.perf_counter()
        message = sip.Message(
            f"INVITE sip:{self.number}@{self.asterisk[0]}:{self.asterisk[1]} SIP/2.0",
            (
                ("Via", f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bKc{n}"),
                ("Max-Forwards", "70"),
                ("From", f"<sip:09{n % 10**8:08d}@{self.host}>;tag=f{n}"),
                ("To", f"<sip:{self.number}@{self.asterisk[0]}>"),
                ("Call-ID", name),
                ("CSeq", "1 INVITE"),
                ("Contact", f"<sip:c@{self.host}:{self.port}>"),
                ("Content-Type", "application/sdp"),
            ),
            _sdp(self.host, rtp),
        )
        self._calls[name] = message
        self._port.send(message.encode(), self.asterisk)

    def _heard(self, data: bytes) -> None:
        message = sip.parse(data)
        if message is None:
            return
        if message.status:
            if message.method == "INVITE" and message.status >= sip.OK:
                self._final(message, data)
        elif message.method == "BYE":
            self._port.send(sip.reply(message, 200, "OK", tag="x").encode(), self.asterisk)
            self._over(message.get("Call-ID"), failed=False)

    def _final(self, response: sip.Message, data: bytes) -> None:
        invite = self._calls.get(response.get("Call-ID"))
        if invite is None:
            return
        ok = response.status < sip.REFUSED
        target = sip.uri_of(response.get("Contact")) if ok else invite.target
        via = invite.get("Via") + ("a" if ok else "")
        headers = (
            ("Via", via),
            ("Max-Forwards", "70"),
            ("From", invite.get("From")),
            ("To", response.get("To")),
            ("Call-ID", invite.get("Call-ID")),
            ("CSeq", "1 ACK"),
        )
        self._port.send(sip.Message(f"ACK {target} SIP/2.0", headers).encode(), self.asterisk)
        found = _MEDIA.search(data)
        if ok and found:
            self._tone.sendto(_SILENCE, (self.asterisk[0], int(found[1])))
        elif not ok:
            self._over(response.get("Call-ID"), failed=True)

    def _over(self, name: str, *, failed: bool) -> None:
        if self._calls.pop(name, None) is None:
            return
        if self.measuring:
            self.failed += failed
            self.done += not failed
        if self.again:
            self._loop.call_later(0.5 if failed else self.pause_s, self._again)

    def _again(self) -> None:
        if self.again:
            self.call()
