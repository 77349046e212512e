"""`tongdai lab`: a whole telephone exchange in one directory, on loopback, until Ctrl-C.

Asterisk and the daemon are children kept alive as systemd would keep them. `lab.json` says where everything is; it
is replaced in one step, so that a reader sees the old or the new truth and never half of one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from controller import setup_file
from controller.cli_client import Client
from controller.clock import SystemClock
from controller.core.setup import Setup
from controller.errors import TongdaiError
from controller.lab import visitor
from controller.lab.demo import Demo, guide
from controller.lab.get_asterisk import AsteriskInstall, find_asterisk
from controller.lab.processes import Child
from controller.lab.render import SIP_T1_MS, LabPlaces, write_lab_config
from controller.lab.words import words
from controller.settings import ENV_PREFIX
from controller.store.db import Database, migrate
from controller.store.setup_repo import SetupRepo
from controller.store.tokens import Tokens

HOST = "127.0.0.1"
PORT_BASE = 15060
RTP_OFFSET, RTP_PORTS = 1000, 1000
PORT_MIN, PORT_MAX = 1024, 65535
READY_S = 60.0
POLL_S = 0.02
ASK_S = 2.0
WHO = "lab"


class LabError(TongdaiError):
    """The lab could not be set up or kept up; the message says what to do."""


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What was asked for. No `asterisk_root`: one on PATH, else `./.asterisk`; `rtp_range` is `FIRST-LAST` or empty.

    `daemon` are process settings for the daemon beside or in place of the lab's own, as `section.key=value`.
    """

    directory: Path
    setup: Path
    asterisk_root: Path | None = None
    port_base: int = PORT_BASE
    demo: bool = True
    rtp_range: str = ""
    sip_t1_ms: int = SIP_T1_MS
    daemon: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything of one lab listens; labs on different bases run side by side."""

    sip: int
    ari: int
    agi: int
    http: int
    rtp_first: int
    rtp_last: int


def ports_of(options: LabOptions) -> Ports:
    """Lay out the ports from the base; LabError when they do not fit or are taken."""
    base = options.port_base
    rtp = _range(options.rtp_range) if options.rtp_range else (base + RTP_OFFSET, base + RTP_OFFSET + RTP_PORTS - 1)
    if not (base >= PORT_MIN and max(base + 3, rtp[1]) <= PORT_MAX and PORT_MIN <= rtp[0] < rtp[1]):
        raise LabError(words("ports_do_not_fit", base, PORT_MIN, PORT_MAX))
    ports = Ports(base, base + 1, base + 2, base + 3, *rtp)
    _must_be_free(ports.sip, socket.SOCK_DGRAM)
    for port in (ports.ari, ports.agi, ports.http):
        _must_be_free(port, socket.SOCK_STREAM)
    return ports


def _range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not (dash and first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        raise LabError(words("rtp_range", text))
    return int(first), int(last)


def _must_be_free(port: int, kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise LabError(words("port_taken", port)) from None


@dataclass
class Lab:
    """One lab: where it is, and its two children. `token` is an administrator's, `guest` a customer's password."""

    options: LabOptions
    ports: Ports
    places: LabPlaces
    install: AsteriskInstall
    setup: Setup
    token: str
    guest: str
    children: dict[str, Child] = field(default_factory=dict)
    ready: bool = False

    @classmethod
    async def prepare(cls, options: LabOptions) -> Lab:
        """Check all that can be checked, write books and configuration; nothing runs yet."""
        directory = options.directory.absolute()
        text = setup_file.read(options.setup)
        setup = setup_file.parse(text, str(options.setup), SystemClock().now_ms())
        for setting in options.daemon:
            _variable(setting)
        install, ports = find_asterisk(options.asterisk_root), ports_of(options)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "lab.json").unlink(missing_ok=True)
        token = await _write_books(_database_url(options), text)
        places = write_lab_config(directory, install, setup, ports, sip_t1_ms=options.sip_t1_ms)
        guest = visitor.add(places.config.with_name("pjsip.conf"), setup)
        return cls(options, ports, places, install, setup, token, guest)

    @property
    def directory(self) -> Path:
        """Where everything of this lab lies."""
        return self.options.directory.absolute()

    @property
    def url(self) -> str:
        """Where the daemon answers."""
        return f"http://{HOST}:{self.ports.http}"

    async def live(self, *, demo: bool) -> None:
        """Start everything, tell where it is, show the demonstration, and stay up until cancelled."""
        say(f"Asterisk {self.install.version} ({self.install.program})")
        await self._start("asterisk", self.places.argv, _plain_environment(), self._asterisk_answers)
        daemon = (sys.executable, "-m", "controller", "serve")
        await self._start("daemon", daemon, self._environment(), self._daemon_ready)
        self.ready = True
        self.publish()
        shown = Demo(self.setup, (HOST, self.ports.sip), Client(self.url, self.token), say)
        try:
            if demo:
                await shown.run()
            say("")
            for line in guide(shown, self.guest, self.url, self.options.directory, self._logs()):
                say(line)
            say(words("up"))
            await asyncio.Event().wait()
        finally:
            await shown.close()

    async def stop(self) -> None:
        """End the children, the daemon first, and take the notice down."""
        for name in ("daemon", "asterisk"):
            if name in self.children:
                await self.children[name].stop()
        (self.directory / "lab.json").unlink(missing_ok=True)

    def _logs(self) -> tuple[Path, Path]:
        messages = self.places.messages.relative_to(self.directory.resolve())
        return self.options.directory / "daemon.log", self.options.directory / messages

    def publish(self) -> None:
        """Write `lab.json`, once everything is ready and again whenever a child has another pid."""
        if not self.ready:
            return
        facts = {
            "sip": f"{HOST}:{self.ports.sip}",
            "ari": self.places.ari_url,
            "ari_user": self.places.ari_user,
            "ari_password": self.places.ari_password,
            "agi": f"{HOST}:{self.ports.agi}",
            "http": self.url,
            "admin_token": self.token,
            "pids": {name: child.pid for name, child in self.children.items()},
        }
        replace_file(self.directory / "lab.json", json.dumps(facts, indent=1) + "\n")

    async def _start(self, name: str, command: Sequence[str], environ: dict[str, str], ready: Ready) -> None:
        child = Child(name, command, environ, self.directory / f"{name}.log", self.publish, self.directory)
        self.children[name] = child
        await child.start()
        deadline = asyncio.get_running_loop().time() + READY_S
        while not await asyncio.to_thread(ready):
            if child.deaths:
                raise LabError(words("does_not_start", name, child.tail()))
            if asyncio.get_running_loop().time() > deadline:
                raise LabError(words("not_ready", name, READY_S, child.tail()))
            await asyncio.sleep(POLL_S)

    def _asterisk_answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.ports.ari), ASK_S):
            return True
        return False

    def _daemon_ready(self) -> bool:
        with contextlib.suppress(OSError), _DIRECT.open(f"{self.url}/readyz", timeout=ASK_S) as answer:
            return bool(answer.status == HTTPStatus.OK)
        return False

    def _environment(self) -> dict[str, str]:
        return _plain_environment() | {
            "TONGDAI_DATABASE__URL": _database_url(self.options),
            "TONGDAI_ARI__URL": self.places.ari_url,
            "TONGDAI_ARI__USER": self.places.ari_user,
            "TONGDAI_ARI__PASSWORD": self.places.ari_password,
            "TONGDAI_AGI__BIND": f"{HOST}:{self.ports.agi}",
            "TONGDAI_HTTP__BIND": f"{HOST}:{self.ports.http}",
            "TONGDAI_JOURNAL__DIR": str(self.directory / "journal"),
            "TONGDAI_ASTERISK__GENERATED_DIR": str(self.places.generated),
            "TONGDAI_ASTERISK__SOUNDS_DIR": str(self.places.sounds),
            "TONGDAI_RECORDING__DIR": str(self.places.recordings),
            **dict(_variable(setting) for setting in self.options.daemon),
        }


Ready = Callable[[], bool]
_DIRECT = build_opener(ProxyHandler({}))


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def replace_file(path: Path, text: str) -> None:
    """Put a file in place in one step, readable by its owner alone."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _database_url(options: LabOptions) -> str:
    """The books of this lab: those of its daemon's own settings, else a file in its directory."""
    given = dict(_variable(setting) for setting in options.daemon)
    return (
        given.get(f"{ENV_PREFIX}DATABASE__URL") or f"sqlite+aiosqlite:///{options.directory.absolute() / 'tongdai.db'}"
    )


def _variable(setting: str) -> tuple[str, str]:
    """`section.key=value` as the environment says it; LabError when it is written in another way."""
    name, equals, value = setting.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section.isidentifier() and key.isidentifier()):
        raise LabError(words("daemon_setting", setting))
    return f"{ENV_PREFIX}{section}__{key}".upper(), value.strip()


def _plain_environment() -> dict[str, str]:
    """Our own environment without settings meant for another daemon."""
    return {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}


async def _write_books(url: str, text: str) -> str:
    """Migrate, put the setup in force unless it is already, and make an administrator's token; earlier ones end."""
    await migrate(url)
    database, clock = Database(url), SystemClock()
    try:
        setups, tokens = SetupRepo(database, clock), Tokens(database, clock)
        if (await setups.current()).text != text:
            await setups.put(text, None, WHO)
        for row in await tokens.list():
            if row.name == WHO and row.revoked_at_ms is None:
                await tokens.revoke(str(row.id), WHO)
        return await tokens.create(WHO, "admin", WHO)
    finally:
        await database.close()


def run_lab(options: LabOptions) -> int:
    """Run a lab until it is asked to stop; returns the exit code, TongdaiError when it cannot be had."""
    return asyncio.run(_run(options))


async def _run(options: LabOptions) -> int:
    lab = await Lab.prepare(options)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    living = asyncio.create_task(lab.live(demo=options.demo))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({living, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            living.result()
    finally:
        for task in (living, stopping):
            task.cancel()
        await asyncio.gather(living, stopping, return_exceptions=True)
        await lab.stop()
    return 0
