"""A loopback UDP port on the running event loop: datagrams in by callback, out at once, losses as UDP means them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

_DATAGRAM_MAX = 65_535


class Port:
    """A bound socket (`at`); port 0 lets the operating system choose. `heard` gets every datagram."""

    def __init__(self, host: str, port: int, heard: Callable[[bytes], None]) -> None:
        self._heard = heard
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.at: tuple[str, int] = self._socket.getsockname()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        """Send one datagram; nothing happens when the port is closed or the peer refuses it."""
        if self._socket.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._socket.sendto(data, to)

    def drain(self) -> None:
        """Hear what has arrived and was not read yet, so that a busy machine hears no less than an idle one."""
        with contextlib.suppress(OSError):
            while self._socket.fileno() >= 0:
                self._heard(self._socket.recv(_DATAGRAM_MAX))

    def close(self) -> None:
        """Give the port back; closing twice is fine."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(_DATAGRAM_MAX)
        except OSError:  # an ICMP refusal of something we sent, told here by the kernel
            return
        self._heard(data)
