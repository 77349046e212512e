"""Process settings: where the database, Asterisk and our own ports are. What a call does stands in the setup instead.

Three sources, the later one wins: the defaults below, the file given by `--config` (TOML, one table a section), and
the environment (`TONGDAI_DATABASE__URL` is `[database] url`). A key that is not listed here is refused with its
place, because a misspelt limit that is silently ignored is found on the day it matters.

Everything listens on and talks to loopback. FastAGI has neither encryption nor authentication and ARI here is plain
HTTP, so another address is refused unless the section says `allow_remote = true`.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Final

ENV_PREFIX: Final = "TONGDAI_"
NOT_SETTINGS: Final = frozenset({"TONGDAI_TOKEN", "TONGDAI_CONFIG"})
"""Environment names that begin like a setting but are options of the command line."""


@dataclass(frozen=True, slots=True)
class Bind:
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether nobody outside this machine can reach it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Database:
    """SQLAlchemy URL of the books (`sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`); it may carry a password."""

    url: str = field(default="sqlite+aiosqlite:///var/tongdai.db", repr=False)


@dataclass(frozen=True, slots=True)
class Ari:
    """Asterisk's HTTP server and our user there. `url` has no `/ari` at its end."""

    url: str = "http://127.0.0.1:8088"
    user: str = "tongdai"
    password: str = field(default="", repr=False)
    app: str = "tongdai"
    allow_remote: bool = False


@dataclass(frozen=True, slots=True)
class Agi:
    """Where the dial path asks (FastAGI). A dialogue longer than `limit_ms` is closed and permits nothing."""

    bind: Bind = Bind("127.0.0.1", 4573)
    allow_remote: bool = False
    limit_ms: int = 300


@dataclass(frozen=True, slots=True)
class Http:
    """The API. `hosts` are further names it may be asked under (Host header), `viewers_max` open event streams."""

    bind: Bind = Bind("127.0.0.1", 8090)
    allow_remote: bool = False
    hosts: tuple[str, ...] = ()
    viewers_max: int = 256


@dataclass(frozen=True, slots=True)
class Log:
    """`level` is debug, info, warning or error; `format` is console (for people) or json (for collectors)."""

    level: str = "info"
    format: str = "console"


@dataclass(frozen=True, slots=True)
class Journal:
    """Every event and command, for looking back; whichever of `days` and `max_mb` is reached first."""

    dir: str = "var/journal"
    days: int = 7
    max_mb: int = 200


@dataclass(frozen=True, slots=True)
class Asterisk:
    """`generated_dir`: where rendered files go on a change of setup, empty for never.

    `sounds_dir` holds the greetings, one folder a language; empty: `sounds` in the data directory Asterisk names.
    """

    generated_dir: str = ""
    sounds_dir: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """Where Asterisk keeps recordings; empty: `recording` in the spool directory Asterisk names."""

    dir: str = ""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A service that knows whose subscriber a number is (docs/numbers.md); `kind` is off, http or enum.

    `url` is asked over HTTP, with `{number}` in it, and `token` shown to it; `server` is a name server, `zone` where
    its numbers are. `field` says where the carrier stands in an answer, empty for the usual place. A question may take
    `timeout_ms`, and after `failures` in a row nobody asks for `retry_s`. `cache_max` answers are kept for `cache_s`.
    """

    kind: str = "off"
    url: str = ""
    token: str = field(default="", repr=False)
    server: Bind = Bind("127.0.0.1", 53)
    zone: str = "e164.arpa"
    field: str = ""
    timeout_ms: int = 120
    cache_s: int = 86_400
    cache_max: int = 100_000
    failures: int = 5
    retry_s: int = 30
    allow_remote: bool = False


@dataclass(frozen=True, slots=True)
class Standby:
    """Two daemons on one PostgreSQL (docs/standby.md).

    `name` is what the other calls us, empty: host name and HTTP port. `agi` is where Asterisk finds the FastAGI of the
    other, left out: the dialplan asks the one that leads and nobody else.
    """

    name: str = ""
    agi: Bind | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All process settings. `repr` shows no secret."""

    database: Database = Database()
    ari: Ari = Ari()
    agi: Agi = Agi()
    http: Http = Http()
    log: Log = Log()
    journal: Journal = Journal()
    asterisk: Asterisk = Asterisk()
    recording: Recording = Recording()
    lookup: Lookup = Lookup()
    standby: Standby = Standby()

    @property
    def instance(self) -> str:
        """What this daemon is called among those on the same database; the same after a restart."""
        return self.standby.name or f"{socket.gethostname()}:{self.http.bind.port}"


def is_loopback(host: str) -> bool:
    """Whether `host` is an address of this machine's loopback interface, or its name `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
