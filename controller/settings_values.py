"""How the value of each setting is read: from TOML as it stands, or from the text an environment can hold.

A reader gives the value or raises ValueError with what it wants; it never repeats the value, which may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from controller.core.saying import Saying, say
from controller.settings import Bind

PORT_MAX: Final = 65535
DAYS_MAX: Final = 3650
JOURNAL_MB_MAX: Final = 100_000
VIEWERS_MAX: Final = 10_000
AGI_MIN_MS: Final = 50
AGI_MAX_MS: Final = 2_500
"""A dialogue has to end before the dialplan gives up on it (3 s, dialplan/outbound.conf)."""
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


def bind_of(value: object) -> Bind:
    """Read `host:port` (`[::1]:8090` for IPv6); ValueError says what is wrong."""
    text = _text(value)
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(say("wants_brackets"))
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= PORT_MAX:
        raise ValueError(say("wants_host_port"))
    if not _HOST.fullmatch(host):
        raise ValueError(say("wants_host_name"))
    return Bind(host, int(port))


def _text(value: object) -> str:
    """Take a string; ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(say("wants_any_text"))  # noqa: TRY004 - one kind of error for every wrong value
    return value


def _flag(value: object) -> bool:
    """Take true or false, also as the words an environment can hold."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError(say("wants_flag"))


def _count(lowest: int, highest: int) -> Callable[[object], int]:
    """Build a reader of whole numbers within limits."""

    def read(value: object) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise ValueError(say("wants_count", lowest=lowest, highest=highest))
        return value

    return read


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    """Build a reader of one word out of a list."""

    def read(value: object) -> str:
        text = _text(value).lower()
        if text not in words:
            raise ValueError(say("wants_one_of", words=", ".join(words)))
        return text

    return read


def _hosts(value: object) -> tuple[str, ...]:
    """Take a list of host names (in the environment: separated by commas)."""
    rows = value.split(",") if isinstance(value, str) else value
    if not isinstance(rows, list):
        raise ValueError(say("wants_hosts"))  # noqa: TRY004 - one kind of error for every wrong value
    names = tuple(_text(row).strip().lower() for row in rows)
    if not all(_HOST.fullmatch(name) for name in names):
        raise ValueError(say("wants_no_port"))
    return names


def _ari_url(value: object) -> str:
    """Take the address of Asterisk's HTTP server, with or without `/ari`."""
    text = _text(value).rstrip("/").removesuffix("/ari")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ValueError(say("wants_ari_url"))
    return text


def _lookup_url(value: object) -> str:
    """Take the address of a look-up service, with a place for the number."""
    text = _text(value)
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or "{number}" not in text:
        raise ValueError(say("wants_lookup_url"))
    return text


def _matching(pattern: re.Pattern[str], wanted: Saying) -> Callable[[object], str]:
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
        raise ValueError(say("wants_app"))
    return text


def _instance(value: object) -> str:
    """Take the name of a daemon."""
    text = _text(value)
    if not _HOST.fullmatch(text):
        raise ValueError(say("wants_instance"))
    return text


def _database_url(value: object) -> str:
    """Take a database URL of one of the two kinds we run on."""
    text = _text(value)
    if not text.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
        raise ValueError(say("wants_database"))
    return text


READERS: Final[dict[str, dict[str, Callable[[object], Any]]]] = {
    "database": {"url": _database_url},
    "ari": {"url": _ari_url, "user": _text, "password": _text, "app": _app, "allow_remote": _flag},
    "agi": {"bind": bind_of, "allow_remote": _flag, "limit_ms": _count(AGI_MIN_MS, AGI_MAX_MS)},
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
        "zone": _matching(_ZONE, say("wants_zone")),
        "field": _matching(_FIELD, say("wants_field")),
        "timeout_ms": _count(LOOKUP_MIN_MS, LOOKUP_MAX_MS),
        "cache_s": _count(0, LOOKUP_CACHE_S_MAX),
        "cache_max": _count(1, LOOKUP_CACHE_MAX),
        "failures": _count(1, LOOKUP_FAILURES_MAX),
        "retry_s": _count(1, LOOKUP_RETRY_S_MAX),
        "allow_remote": _flag,
    },
    "standby": {"name": _instance, "agi": bind_of},
}
"""Every key there is and how its value is read."""
