"""Word to whoever keeps the process alive (systemd's `sd_notify`): that it is ready, that it lives, that it ends.

A process can stand still without dying: the kernel keeps its sockets open, Asterisk goes on handing it calls, and
nothing is restarted because nothing has ended. With `Type=notify` and `WatchdogSec=` the keeper kills a process from
which no word came in time. Word is sent only while the engine decides: a loop that turns with a stuck writer is no
life. Protocol: sd_notify(3), one datagram a word to the socket named in `NOTIFY_SOCKET`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

READY: Final = "READY=1"
ALIVE: Final = "WATCHDOG=1"
STOPPING: Final = "STOPPING=1"
BEATS: Final = 4
"""Words within the keeper's limit: a late one or two cost nothing."""

QUIET_EVERY_S: Final = 5.0
MORE_S: Final = 30


class Watchdog:
    """Tells the keeper named by the environment; without one it does nothing.

    `ready` says whether calls are served, `stuck_s` for how long the engine has owed a decision.
    """

    def __init__(
        self, ready: Callable[[], bool], stuck_s: Callable[[], float], environ: Mapping[str, str] | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
        self._ready = ready
        self._stuck_s = stuck_s
        self._address = environ.get("NOTIFY_SOCKET", "")
        limit = environ.get("WATCHDOG_USEC", "")
        self.limit_s = int(limit) / 1e6 if limit.isascii() and limit.isdigit() else 0.0
        self._told_ready = False

    async def run(self) -> None:
        """Send word until cancelled."""
        while True:
            self.beat()
            await asyncio.sleep(self.limit_s / BEATS or QUIET_EVERY_S)

    def beat(self) -> None:
        """Say what is true now."""
        if not self._told_ready and self._ready():
            self._told_ready = True
            self._say(READY)
        if self.limit_s and self._stuck_s() < self.limit_s:
            self._say(ALIVE)

    async def more_time(self) -> None:
        """Until cancelled, ask for more time to start: the keeper ends who takes longer than `TimeoutStartSec=`."""
        while True:
            self._say(f"EXTEND_TIMEOUT_USEC={MORE_S * 1_000_000}")
            await asyncio.sleep(MORE_S / BEATS)

    def stopping(self) -> None:
        """Say that we end on purpose."""
        self._say(STOPPING)

    def _say(self, word: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the NUL of an abstract address.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(word.encode("ascii"), address)
