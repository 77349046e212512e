"""A call centre for one test: the running lab, its HTTP interface, and people with phones.

Everything waits with a deadline and asks every 20 ms; nothing sleeps and hopes. What a test leaves behind is looked
for after it: a channel or a bridge in Asterisk is a failure of the test that made it.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from controller.lab import tone
from tests.live import leaks
from tests.live.patience import PATIENCE_S, READY_S
from tests.live.places import place
from tests.recordings import renew

REPOSITORY = Path(__file__).resolve().parents[2]
POLL_S = 0.02
PAGE_MAX = 500
START_S = 90.0
STOP_S = 60.0
NOTICED_S = (
    0.2  # Asterisk sees the loss of a socket after 16 ms; a call of those milliseconds waits for the next daemon
)
BASES_FIRST, BASES, BASES_EACH, BASE_PORTS = 20_000, 500, 120, 20
GREETING_HZ = 1000
BREACH = "an invariant does not hold"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading certificates for loopback would take longer than the tests

Json = dict[str, Any]
T = TypeVar("T")


def free_base() -> int:
    """A port base whose ports nobody uses. Each test process looks for its own in places of its own."""
    for n in range(BASES):
        base = BASES_FIRST + (place() * BASES_EACH + n) % BASES * BASE_PORTS
        if all(_is_free(base + n, kind) for n in range(8) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)):
            return base
    raise AssertionError("no free ports for a lab")


def _is_free(port: int, kind: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass
class Lab:
    """One `tongdai lab` in a process of its own, as a person starts it."""

    directory: Path
    base: int
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls,
        directory: Path,
        setup: str,
        *daemon: str,
        base: int = 0,
        sip_t1_ms: int = 500,
        within: tuple[str, ...] = (),
    ) -> Self:
        """Start one; `daemon` are settings of the daemon (`ari.url=…`), `within` a program that starts the lab."""
        lab = cls(directory, base or free_base())
        directory.mkdir(parents=True, exist_ok=True)
        setup_file = directory / "setup.toml"
        setup_file.write_text(lab.filled(setup), encoding="utf-8")
        command = [*within, sys.executable, "-m", "controller", "lab", "--dir", str(directory)]
        command += ["--setup", str(setup_file)]
        command += ["--port-base", str(lab.base), "--no-demo", "--sip-t1", str(sip_t1_ms)]
        # On a busy machine the strictness that callers need would refuse calls that a test means to be let through.
        daemon = (*daemon, "agi.limit_ms=2500")
        command += [word for setting in daemon for word in ("--set", setting)]
        with (directory / "lab.out").open("wb") as out:
            lab.process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=os.environ | {"CHECK": "1"},  # every invariant after every step, on real calls too
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        lab._wait_ready()
        for name, seconds in (("live-short", 0.3), ("live-long", 5.0), ("live-endless", 60.0)):
            lab._greet(name, seconds)
        return lab

    def _greet(self, name: str, seconds: float) -> None:
        """A greeting of the tests' own: a tone, so that it is told from music and from people."""
        for language in ("vi", "en"):
            with wave.open(str(self.directory / "asterisk/data/sounds" / language / f"{name}.wav"), "wb") as wav:
                wav.setparams((1, 2, tone.RATE_HZ, 0, "NONE", ""))
                codes = b"".join(tone.tone_frames(GREETING_HZ)) * math.ceil(seconds)
                samples = tone.decode(codes[: int(seconds * tone.RATE_HZ)])
                wav.writeframes(struct.pack(f"<{len(samples)}h", *samples))

    @property
    def info(self) -> Json:
        return json.loads((self.directory / "lab.json").read_text())

    @property
    def sip(self) -> tuple[str, int]:
        return ("127.0.0.1", self.base)

    @property
    def trunk_port(self) -> int:
        return self.base + 4

    def filled(self, setup: str) -> str:
        """A setup with the ports of this lab."""
        return setup.replace("@TRUNK@", str(self.trunk_port))

    def pid(self, name: str) -> int:
        return int(self.info["pids"][name])

    def kill(self, name: str) -> int:
        """`kill -9` the daemon or Asterisk; the pid that died."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    @asynccontextmanager
    async def without_daemon(self, sign: signal.Signals = signal.SIGKILL) -> AsyncIterator[None]:
        """End the daemon and keep it dead: its supervisor is stopped in mid-step while it is."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        pid = self.pid("daemon")
        os.kill(pid, sign)
        try:
            await until(lambda: self._missed(pid), "Asterisk has noticed the daemon's death")
            await asyncio.sleep(NOTICED_S)
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    async def _missed(self, daemon: int) -> bool:
        return dead(daemon) and not self._half_closed()

    def _half_closed(self) -> bool:
        """Whether Asterisk has yet to close its end of something whose other end is gone."""
        mine, waiting = f":{self.base + 1:04X}", "08"  # the kernel's number for a socket whose other end has closed
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return any(row[1].endswith(mine) and row[3] == waiting for row in rows)

    async def ready(self, api: Api, seconds: float = READY_S) -> None:
        """Wait until the daemon that is there now serves calls."""

        async def ask() -> bool:
            try:
                return (await api.http.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(ask, "the daemon is ready", seconds)

    def stop(self) -> None:
        """End it as a person does, and look at what it leaves behind: no process, no leak."""
        assert self.process is not None
        info = self.info
        pids = list(info["pids"].values())
        if (keep := os.environ.get("TONGDAI_RECORDING")) is not None:  # tests/recordings/renew.py
            renew.keep(self.directory, Path(keep))
        with httpx.Client(timeout=PATIENCE_S, trust_env=False, verify=NO_TLS) as http:
            secrets, told = leaks.known_secrets(self.directory, info, http), leaks.pages(info, http)
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(STOP_S)
        assert code == 0, self.output()
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()], "the lab left a process behind"
        found = leaks.leaks(self.directory, told, secrets)
        assert not found, "\n".join(found)
        log = (self.directory / "daemon.log").read_text(errors="replace")
        assert not (broken := [line for line in log.splitlines() if BREACH in line]), "\n".join(broken)

    def output(self) -> str:
        parts = [*sorted(self.directory.glob("*.out")), *sorted(self.directory.glob("*.log"))]
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in parts)

    def _wait_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_S
        while not (self.directory / "lab.json").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"the lab did not start\n{self.output()}")
            time.sleep(POLL_S)


def dead(pid: int) -> bool:
    """Whether a process has ended, buried or not: its sockets are closed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return True


class Api:
    """The HTTP interface, asked as an administrator."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        info = lab.info
        head = {"Authorization": f"Bearer {info['admin_token']}"}
        plain = {"timeout": PATIENCE_S, "trust_env": False, "verify": NO_TLS}
        self.http = httpx.AsyncClient(base_url=info["http"], headers=head, **plain)
        who = (info["ari_user"], info["ari_password"])
        self._ari = httpx.AsyncClient(base_url=f"{info['ari']}/ari/", auth=who, **plain)

    async def close(self) -> None:
        await self.http.aclose()
        await self._ari.aclose()

    async def ari(self, path: str, method: str = "GET", **params: str) -> Any:
        """Ask Asterisk itself."""
        response = await self._ari.request(method, path, params=params)
        assert response.is_success, f"{path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    async def ring_by_hand(self, user: str) -> str:
        """Let Asterisk ring a phone without the controller having any part in it; the channel's id."""
        channel = await self.ari(
            "channels", "POST", endpoint=f"PJSIP/{user}", context="default", extension="s", timeout="30"
        )
        return str(channel["id"])

    async def get(self, path: str, **params: Any) -> Any:
        response = await self.http.get(path, params=params)
        assert response.status_code == 200, f"{path}: {response.status_code} {response.text}"
        return response.json()

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.http.request(method, path, json=body)

    async def agent(self, name: str) -> Json:
        return await self.get(f"/api/v1/agents/{name}")

    async def status(self, name: str, status: str, reason: str = "") -> httpx.Response:
        body = {"status": status, **({"reason": reason} if reason else {})}
        return await self.send("PUT", f"/api/v1/agents/{name}/status", body)

    async def calls(self, state: str = "live", **params: Any) -> list[Json]:
        return (await self.get("/api/v1/calls", **({"state": state, "limit": PAGE_MAX} | params)))["items"]

    async def history(self, since: str) -> list[Json]:
        """Every call that ended since then, page after page."""
        found: list[Json] = []
        after: Json | None = {}
        while after is not None:
            page = await self.get("/api/v1/calls", state="ended", since=since, limit=PAGE_MAX, **after)
            found += page["items"]
            after = {"cursor": page["next"]} if page["next"] else None
        return found

    async def call(self, call: str) -> Json:
        return await self.get(f"/api/v1/calls/{call}")

    async def story(self, call: str) -> list[Json]:
        found = await self.get(f"/api/v1/calls/{call}/story")
        return found["items"] if isinstance(found, dict) else found

    async def queue(self, name: str) -> Json:
        found = await self.get("/api/v1/queues")
        return next(row for row in found["items"] if row["name"] == name)

    async def alerts(self, state: str = "open") -> list[Json]:
        return (await self.get("/api/v1/alerts", state=state))["items"]


async def until(ask: Callable[[], Awaitable[T]], what: str, seconds: float = PATIENCE_S) -> T:
    """Ask again and again until the answer is true; AssertionError names what never came, and the last answer."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = await ask()
        if found:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds} s: {what} (last answer: {found!r})")
        await asyncio.sleep(POLL_S)


async def soon(event: asyncio.Event, what: str, seconds: float = PATIENCE_S) -> None:
    """Wait for a moment of a call."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None
