"""Process settings: where the database, Asterisk and our own ports are. What a call does stands in the setup instead.

Three sources, the later one wins: the defaults below, the file given by `--config` (TOML, one table a section), and
the environment (`TONGDAI_DATABASE__URL` is `[database] url`). A key that is not listed here is refused with its
place, because a misspelt limit that is silently ignored is found on the day it matters.

Everything listens on and talks to loopback. FastAGI has neither encryption nor authentication and ARI here is plain
HTTP, so another address is refused unless the section says `allow_remote = true`.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from controller.errors import SettingsError

ENV_PREFIX: Final = "TONGDAI_"
NOT_SETTINGS: Final = frozenset({"TONGDAI_TOKEN", "TONGDAI_CONFIG"})
"""Environment names that begin like a setting but are options of the command line."""

PORT_MAX: Final = 65535
DAYS_MAX: Final = 3650
JOURNAL_MB_MAX: Final = 100_000
VIEWERS_MAX: Final = 10_000
LOOKUP_KINDS: Final = ("off", "http", "enum")
LOOKUP_MIN_MS: Final = 10
LOOKUP_MAX_MS: Final = 140
"""A question has to end before the dial path gives up on all look-ups together (`agi.scripts.LOOKUP_S`)."""
LOOKUP_CACHE_S_MAX: Final = 30 * 86_400
LOOKUP_CACHE_MAX: Final = 1_000_000
LOOKUP_FAILURES_MAX: Final = 1_000
LOOKUP_RETRY_S_MAX: Final = 3_600
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("console", "json")
_APP = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ZONE = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.){0,8}[A-Za-z0-9_-]{1,63}")
_FIELD = re.compile(r"(?:[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,8})?")
_HOST = re.compile(r"[A-Za-z0-9.:_-]{1,253}")


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
    """Where the dial path asks (FastAGI)."""

    bind: Bind = Bind("127.0.0.1", 4573)
    allow_remote: bool = False


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

    `name` is what the other calls us, empty: host name and HTTP port.
    """

    name: str = ""


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


def bind_of(value: object) -> Bind:
    """Read `host:port` (`[::1]:8090` for IPv6); ValueError says what is wrong."""
    text = _text(value)
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("wants an IPv6 address in brackets: [::1]:8090")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= PORT_MAX:
        raise ValueError("wants host:port, as in 127.0.0.1:8090")
    if not _HOST.fullmatch(host):
        raise ValueError("wants an address or a host name before the port")
    return Bind(host, int(port))


def _text(value: object) -> str:
    """Take a string; ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError("wants a text")  # noqa: TRY004 - one kind of error for every wrong value
    return value


def _flag(value: object) -> bool:
    """Take true or false, also as the words an environment can hold."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError("wants true or false")


def _count(lowest: int, highest: int) -> Callable[[object], int]:
    """Build a reader of whole numbers within limits."""

    def read(value: object) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise ValueError(f"wants a whole number from {lowest} to {highest}")
        return value

    return read


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    """Build a reader of one word out of a list."""

    def read(value: object) -> str:
        text = _text(value).lower()
        if text not in words:
            raise ValueError(f"wants one of {', '.join(words)}")
        return text

    return read


def _hosts(value: object) -> tuple[str, ...]:
    """Take a list of host names (in the environment: separated by commas)."""
    rows = value.split(",") if isinstance(value, str) else value
    if not isinstance(rows, list):
        raise ValueError("wants a list of host names")  # noqa: TRY004 - one kind of error for every wrong value
    names = tuple(_text(row).strip().lower() for row in rows)
    if not all(_HOST.fullmatch(name) for name in names):
        raise ValueError("wants host names without port")
    return names


def _ari_url(value: object) -> str:
    """Take the address of Asterisk's HTTP server, with or without `/ari`."""
    text = _text(value).rstrip("/").removesuffix("/ari")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ValueError("wants http://host:port, user and password stand in keys of their own")
    return text


def _lookup_url(value: object) -> str:
    """Take the address of a look-up service, with a place for the number."""
    text = _text(value)
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or "{number}" not in text:
        raise ValueError("wants http://host:port/path/{number}, and a token in a key of its own")
    return text


def _matching(pattern: re.Pattern[str], wanted: str) -> Callable[[object], str]:
    """Build a reader of text in an alphabet."""

    def read(value: object) -> str:
        text = _text(value)
        if not pattern.fullmatch(text):
            raise ValueError(wanted)
        return text

    return read


def _app(value: object) -> str:
    """Take the name of a Stasis application."""
    text = _text(value)
    if not _APP.fullmatch(text):
        raise ValueError("wants letters, digits, - and _ (at most 64)")
    return text


def _instance(value: object) -> str:
    """Take the name of a daemon."""
    text = _text(value)
    if not _HOST.fullmatch(text):
        raise ValueError("wants letters, digits and . : _ - (at most 253)")
    return text


def _database_url(value: object) -> str:
    """Take a database URL of one of the two kinds we run on."""
    text = _text(value)
    if not text.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
        raise ValueError("wants sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME")
    return text


READERS: Final[dict[str, dict[str, Callable[[object], Any]]]] = {
    "database": {"url": _database_url},
    "ari": {"url": _ari_url, "user": _text, "password": _text, "app": _app, "allow_remote": _flag},
    "agi": {"bind": bind_of, "allow_remote": _flag},
    "http": {"bind": bind_of, "allow_remote": _flag, "hosts": _hosts, "viewers_max": _count(1, VIEWERS_MAX)},
    "log": {"level": _one_of(LOG_LEVELS), "format": _one_of(LOG_FORMATS)},
    "journal": {"dir": _text, "days": _count(0, DAYS_MAX), "max_mb": _count(1, JOURNAL_MB_MAX)},
    "asterisk": {"generated_dir": _text, "sounds_dir": _text},
    "recording": {"dir": _text},
    "lookup": {
        "kind": _one_of(LOOKUP_KINDS),
        "url": _lookup_url,
        "token": _text,
        "server": bind_of,
        "zone": _matching(_ZONE, "wants a name of the DNS, such as e164.arpa"),
        "field": _matching(_FIELD, "wants a name, parts with dots between"),
        "timeout_ms": _count(LOOKUP_MIN_MS, LOOKUP_MAX_MS),
        "cache_s": _count(0, LOOKUP_CACHE_S_MAX),
        "cache_max": _count(1, LOOKUP_CACHE_MAX),
        "failures": _count(1, LOOKUP_FAILURES_MAX),
        "retry_s": _count(1, LOOKUP_RETRY_S_MAX),
        "allow_remote": _flag,
    },
    "standby": {"name": _instance},
}
"""Every key there is and how its value is read."""


@dataclass(frozen=True, slots=True)
class _Given:
    """One value somebody set, and where."""

    place: str
    section: str
    key: str
    value: object


def load(config: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of this process; SettingsError names the place of the first thing wrong."""
    env = os.environ if environ is None else environ
    if config is None and env.get("TONGDAI_CONFIG"):
        config = Path(env["TONGDAI_CONFIG"])
    given = [*(_from_file(config) if config is not None else ()), *_from_environ(env)]
    sections: dict[str, dict[str, Any]] = {name: {} for name in READERS}
    for row in given:
        sections[row.section][row.key] = _read(row)
    base = Settings()
    settings = replace(base, **{name: replace(getattr(base, name), **keys) for name, keys in sections.items()})
    _refuse_remote(settings, given)
    if settings.lookup.kind == "http" and not settings.lookup.url:
        raise SettingsError("[lookup] url: is missing, and kind is http")
    return settings


def _from_file(path: Path) -> list[_Given]:
    """List what a settings file sets."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    found = []
    for section, table in document.items():
        line = _line_of(text, section, None)
        if not isinstance(table, dict):
            raise SettingsError(f"{path}:{line}: {section}: wants to stand in a [section]")
        _known(f"{path}:{line}: [{section}]", section, READERS, "section")
        for key, value in table.items():
            place = f"{path}:{_line_of(text, section, key)}: [{section}] {key}"
            _known(place, key, READERS[section], "key")
            found.append(_Given(place, section, key, value))
    return found


def _from_environ(env: Mapping[str, str]) -> list[_Given]:
    """List what the environment sets."""
    found = []
    for name in sorted(env):
        if not name.startswith(ENV_PREFIX) or name in NOT_SETTINGS:
            continue
        section, _, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
        _known(name, section, READERS, "section")
        _known(name, key, READERS[section], "key")
        found.append(_Given(name, section, key, env[name]))
    return found


def _known(place: str, name: str, names: Mapping[str, object], what: str) -> None:
    """Refuse a name that is not on the list, with the nearest one that is."""
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = f", did you mean {near[0]}?" if near else f" (there are {', '.join(names)})"
    raise SettingsError(f"{place}: unknown {what}{hint}")


def _read(row: _Given) -> Any:
    """Read one value; the message never repeats it, it may be a secret."""
    try:
        return READERS[row.section][row.key](row.value)
    except ValueError as error:
        raise SettingsError(f"{row.place}: {error}") from None


def _line_of(text: str, section: str, key: str | None) -> int:
    """Find the line of a section's head, or of a key in it; 1 when it is written in a way we do not look for."""
    sought = rf"{re.escape(section)}\s*[=.]" if key is None else rf"[\"']?{re.escape(key)}[\"']?\s*="
    inside, head = key is None, 1
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            here = stripped.split("#")[0].strip("[] ") == section
            inside = here if key is not None else inside
            head = number if here else head
        elif inside and re.match(sought, stripped):
            return number
    return head


def _refuse_remote(settings: Settings, given: list[_Given]) -> None:
    """Refuse an address beyond loopback that was not asked for in so many words."""
    ari_host = urlsplit(settings.ari.url).hostname or ""
    lookup, lookup_host = settings.lookup, urlsplit(settings.lookup.url).hostname or "localhost"
    rows = (
        ("agi", "bind", settings.agi.bind.loopback, settings.agi.allow_remote),
        ("http", "bind", settings.http.bind.loopback, settings.http.allow_remote),
        ("ari", "url", is_loopback(ari_host), settings.ari.allow_remote),
        ("lookup", "url", lookup.kind != "http" or is_loopback(lookup_host), lookup.allow_remote),
        ("lookup", "server", lookup.kind != "enum" or lookup.server.loopback, lookup.allow_remote),
    )
    for section, key, loopback, allowed in rows:
        if loopback or allowed:
            continue
        places = [row.place for row in given if (row.section, row.key) == (section, key)]
        place = places[-1] if places else f"[{section}] {key}"
        raise SettingsError(f"{place}: is not a loopback address; say [{section}] allow_remote = true if it is meant")
