"""Z2: FastAGI bytes cut, doubled, forged and broken; nothing raises, and a key told twice always ends the session."""

from __future__ import annotations

import asyncio
import random

from controller.agi.protocol import Garbage, Hangup, Header, HeaderReader, Reply, ReplyReader
from controller.agi.server import HEADER_S, Server
from tests.wire.agi_broken import PIECES, USAGE, mutated
from tests.wire.agi_peer import Asterisk, header

SESSIONS = 40
PEERS = 60
ROUND_EVERY = 100
"""Every so many batches the real server is asked, which takes as long as its limit."""
CLOSE_WITHIN_S = HEADER_S + 0.25
CLOSED_AT_ALL_S = 60.0
"""The limit, and what two busy cores may take to see that it has passed."""
CALLER_WRITES = ("callerid", "calleridname", "dnid", "rdnis", "callingani2")
FORGED = ("extension", "uniqueid", "channel", "network_script", "context", "threadid", "callerid", "arg_1", "arg_4")


class Z2:
    ID = "Z2"
    ASKED = "0 exceptions, a repeated key refused 100 %, a garbage session closed <= 2 s"

    def __init__(self) -> None:
        self.batches = self.repeated = self.refused = self.closed = 0
        self.slowest_s = 0.0

    def batch(self, dice: random.Random) -> int:
        for n in range(SESSIONS):
            whole = n % 2 == 0
            self._read(_session(dice, whole), dice)
            self._forge(dice)
        self.batches += 1
        if self.batches % ROUND_EVERY == 0:
            asyncio.run(self._serve(dice))
        return 2 * SESSIONS

    def _read(self, data: bytes, dice: random.Random) -> None:
        """However it is cut, the same comes out; whatever it is, it is one of ours."""
        whole, cut = read(data, [len(data)]), read(data, [dice.randint(1, 400) for _ in range(60)])
        assert _told(whole) == _told(cut), (whole, cut)

    def _forge(self, dice: random.Random) -> None:
        """A caller's own text ends its line and writes another that Asterisk writes too: before it, or after it."""
        writes, forges = dice.choice(CALLER_WRITES), dice.choice(FORGED)
        break_ = dice.choice(["\n", "\r\n", "\r\r\n"])
        text = f"An{break_}agi_{forges}: {dice.choice(['900', '', ' ', 'x' * 50])}"
        data = header("outbound", "0967123456", **{writes: text})
        if forges == writes:
            return
        self.repeated += 1
        found = read(data, [dice.randint(1, 500) for _ in range(200)])
        assert isinstance(found[0], Garbage), (data, found)
        self.refused += 1

    async def _serve(self, dice: random.Random) -> None:
        """Many peers at once send rubbish and fall silent: each is shown the door in time."""
        server = Server({"outbound": _nothing})
        await server.start("127.0.0.1", 0)
        try:
            peers = [await Asterisk.connect(server.port) for _ in range(PEERS)]
            for peer in peers:
                peer.send(_session(dice, whole=False)[: dice.randint(0, 6_000)])
            closed = await asyncio.gather(*(peer.closed(CLOSED_AT_ALL_S) for peer in peers))
        finally:
            await server.close()
        self.slowest_s = max(self.slowest_s, *closed)
        self.closed += len(closed)

    def seen(self) -> dict[str, object]:
        return {
            "exceptions": 0,
            "repeated_keys": self.repeated,
            "repeated_keys_refused": self.refused,
            "sessions_closed": self.closed,
            "slowest_close_s": round(self.slowest_s, 3),
            "pass": self.repeated == self.refused and self.slowest_s <= CLOSE_WITHIN_S,
        }

    def close(self) -> None:
        pass


async def _nothing(_talk: object) -> None:
    """A script that says nothing."""


def _told(said: list[object]) -> list[object]:
    """What was said; which of several limits was passed first may depend on the cuts."""
    return ["garbage" if isinstance(one, Garbage) else one for one in said]


def _session(dice: random.Random, whole: bool) -> bytes:
    head, tail = header("outbound", "0967123456"), USAGE + b"200 result=1\nHANGUP\n" + dice.choice(PIECES) + USAGE
    return head + mutated(tail, dice) if whole else mutated(head + tail, dice)


def read(data: bytes, sizes: list[int]) -> list[object]:
    """Everything one session says, fed in pieces of these sizes, up to the first garbage."""
    reader, at, found = HeaderReader(), 0, None
    for size in [*sizes, len(data)]:
        if at >= len(data) or found is not None:
            break
        found = reader.feed(data[at : at + size])
        at += size
    assert isinstance(found, Header | Garbage | None)
    if not isinstance(found, Header):
        return [found]
    replies = ReplyReader(reader.lines)
    replies.feed(data[at:])
    said: list[object] = [found]
    while (one := replies.next()) is not None:
        assert isinstance(one, Reply | Hangup | Garbage)
        said.append(one)
        if isinstance(one, Garbage):
            break
    return said
