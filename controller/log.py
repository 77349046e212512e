"""One event, one line: set-up of structlog, and what may never stand in a log.

Secrets are left out by the name of their key and by their looks; phone numbers keep their last three digits; every
control character is written as an escape, so that a caller's name cannot end a line and begin another. A log that
cannot be written (disk full, pipe closed) is counted and never stops a call.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog

HIDDEN: Final = "[hidden]"
SHOWN_DIGITS: Final = 3
TEXT_MAX: Final = 8_192
"""Characters of one value; a traceback is longer than anything a peer may say."""
DEPTH_MAX: Final = 4

_SECRET: Final = re.compile(
    r"(?:^|[_\-.])(?:passwords?|passwd|secrets?|tokens?|authorization|cookie)(?:$|[_\-.])", re.IGNORECASE
)
_NUMBER: Final = re.compile(r"(?:caller|callee|number|to|from|dialled|caller_id|caller_name)")
_NO_DIGIT: Final = re.compile(r"[^0-9]")
_OWN_TOKEN: Final = re.compile(r"td_[A-Za-z0-9_-]{8,}")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{6,}")
_URL_PASSWORD: Final = re.compile(r"(://[^/\s:@]*):[^@\s/]+@")
_IN_QUERY: Final = re.compile(r"(?i)\b((?:caller|callee|number|to|from|dialled)=)((?:%2b|\+)?\d{4,})")
_IN_TEXT: Final = re.compile(
    r"(?:(?<![0-9A-Za-z.:])|(?<=%2[Ff])|(?<=%3[Dd]))(?:(?:\+|%2[Bb])?(?:84|00|0)|\+|%2[Bb])[0-9]{8,15}(?![0-9])"
)
"""What looks like a phone number in a text somebody else wrote: of an exception, of a path, of Asterisk's answer."""
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\\]")
_CONTROL: Final = re.compile(_UNSAFE.pattern.replace(r"\\]", "]"))
_BARE: Final = re.compile(r"[^\s\"=\\]+")

Event = MutableMapping[str, Any]


class _Lines:
    """Where lines go. Counts those that could not be written."""

    def __init__(self) -> None:
        self.lost = 0
        self.stream: TextIO | None = None

    def write(self, line: str) -> None:
        """Write a line; whatever the stream says, the caller goes on."""
        try:
            stream = self.stream or sys.stderr
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError):
            self.lost += 1


_lines: Final = _Lines()


def lost_lines() -> int:
    """How many lines could not be written since the start."""
    return _lines.lost


def configure(level: str = "info", form: str = "console", stream: TextIO | None = None) -> None:
    """Set up logging for the process: `level` debug to error, `form` console (key=value) or json.

    The standard library's loggers (of aiohttp, uvicorn, asyncio) come out the same way, from warnings upwards.
    """
    _lines.stream = stream
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        guarded,
    ]
    render = _json_line if form == "json" else _console_line
    structlog.configure(
        processors=[*shared[:1], *shared[2:], render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_factory,
        cache_logger_on_first_use=False,
    )
    last: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        guarded,
        render,
    ]
    handler = _Handler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared[:-1], processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))


def mask(text: str) -> str:
    """Leave the last three digits of a number, which tell two callers apart; of a name nothing is left."""
    digits = _NO_DIGIT.sub("", text)
    return "***" + digits[-SHOWN_DIGITS:] if len(digits) > SHOWN_DIGITS else "***"


def guarded(_logger: object, _method: str, event: Event) -> Event:
    """Processor: hide what is secret and shorten what is personal, however deep it stands."""
    return {str(key): _safe(str(key), value, 0) for key, value in event.items()}


def _safe(key: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, float)):
        return value
    if _SECRET.search(key):
        return HIDDEN
    if depth >= DEPTH_MAX:
        return "…"
    if isinstance(value, Mapping):
        return {str(name): _safe(str(name), item, depth + 1) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_safe(key, item, depth + 1) for item in value]
    personal = bool(_NUMBER.fullmatch(key)) or key.startswith("pii_")
    if isinstance(value, int) and not personal:
        return value
    text = str(value)[:TEXT_MAX]
    return mask(text) if personal and text else _scrubbed(text)


def _scrubbed(text: str) -> str:
    """Hide what looks like a secret inside a text somebody else wrote."""
    text = _OWN_TOKEN.sub(HIDDEN, text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    text = _IN_QUERY.sub(lambda found: found[1] + mask(found[2]), text)
    return _IN_TEXT.sub(lambda found: mask(found[0]), text)


def _json_line(_logger: object, _method: str, event: Event) -> str:
    return _CONTROL.sub(_escape, json.dumps(event, ensure_ascii=False, default=str))


def _console_line(_logger: object, _method: str, event: Event) -> str:
    """Write `time level event key=value …`."""
    head = [str(event.pop(key, "-")) for key in ("at", "level", "event")]
    head[2] = _UNSAFE.sub(_escape, head[2])
    return " ".join([*head, *(f"{_value(str(key))}={_value(value)}" for key, value in sorted(event.items()))])


def _value(value: Any) -> str:
    """Write a value so that it ends where it seems to end."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and not _BARE.fullmatch(text):
        text = json.dumps(text, ensure_ascii=False)
    return _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return "\\\\" if found[0] == "\\" else f"\\u{ord(found[0]):04x}"


class _Logger:
    """What structlog writes through: every level is a line."""

    def msg(self, line: str) -> None:
        """Write one line."""
        _lines.write(line)

    log = debug = info = warning = error = critical = exception = fatal = msg


def _factory(*_args: Any) -> _Logger:
    return _Logger()


class _Handler(logging.Handler):
    """The standard library's records, through the same door."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            _lines.write(self.format(record))
        except Exception:  # noqa: BLE001 - a record that cannot be written must not hurt whoever wrote it
            _lines.lost += 1
