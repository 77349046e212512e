"""FastAGI as bytes: what Asterisk sends us (header, replies, HANGUP) and what we send it (commands).

Nothing here raises on input, and nothing here waits: bytes go in, values come out, and what makes no sense comes out
as `Garbage` with one line of why. Three habits of Asterisk shape this module.

Asterisk prints the header raw. A line break in a caller's name makes a forged line stand before the true one, so
neither the first nor the last of two equal keys can be believed: a repeated key refuses the session. A forged empty
line ends the header early: the keys Asterisk always sends last are then missing, or the rest of the true header
arrives where only a reply may stand, and both are garbage too. Arguments come after all of these, so one that stands
before them is forged, also where the true session has none of that number.

Asterisk splits our commands at line breaks, and lines over 8,192 bytes in two. The rest would run as a command of its
own, so the encoder refuses whatever is not printable ASCII, and arguments over 1,000 bytes.

A hang-up is announced by a line `HANGUP` that answers nothing and may stand between the lines of a reply.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

HEADER_BYTES_MAX: Final = 8192
LINE_BYTES_MAX: Final = 8192
USAGE_LINES_MAX: Final = 64
ARGUMENT_BYTES_MAX: Final = 1000
ARGUMENTS_MAX: Final = 16

REQUIRED: Final = ("agi_network_script", "agi_channel", "agi_uniqueid", "agi_context", "agi_threadid")
"""Keys of every session. The last one is sent after everything a caller can write, arguments excepted."""

_KEY: Final = re.compile(r"agi_[a-z0-9_]{1,32}")
_REPLY: Final = re.compile(r"(?P<code>\d{3})(?P<sep>[ -]|$)(?P<text>.*)", re.DOTALL)
_RESULT: Final = re.compile(r"result=(?P<result>[^\s(]*)\s*(?:\((?P<data>.*)\))?", re.DOTALL)
_VERB: Final = re.compile(r"[A-Z]+(?: [A-Z]+)*")
_PRINTABLE: Final = re.compile(r"[ -~]*")
_ARGUMENT: Final = "agi_arg_"
_LAST: Final = REQUIRED[-1]
_USAGE: Final = 520


@dataclass(frozen=True, slots=True)
class Header:
    """What Asterisk says of a call before the dialogue: every value comes from outside and is not filtered yet."""

    values: Mapping[str, str]

    @property
    def path(self) -> str:
        """The script asked for, without query."""
        return self.values.get("agi_network_script", "").partition("?")[0].strip("/")

    def argument(self, n: int) -> str:
        """The n-th argument of AGI(), counted from 1; empty when there is none."""
        return self.values.get(f"{_ARGUMENT}{n}", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to one command: `result` and the text in brackets, or the usage text of a 520."""

    code: int
    result: str = ""
    data: str = ""

    @property
    def ok(self) -> bool:
        """Whether the command was understood and did not fail."""
        return self.code == 200 and self.result not in {"", "-1"}  # noqa: PLR2004 - the protocol's own number


@dataclass(frozen=True, slots=True)
class Hangup:
    """The caller is gone. The channel stays until we close, so the only right answer is to close."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Not FastAGI, forged, or over a limit: the session ends."""

    why: str


class Lines:
    """Cuts a stream into lines of bounded length; a CR before the LF belongs to the break."""

    def __init__(self, longest: int = LINE_BYTES_MAX) -> None:
        self._longest = longest
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        self._held += data

    @property
    def held(self) -> int:
        """Bytes taken in and not yet given out."""
        return len(self._held)

    def next(self) -> bytes | Garbage | None:
        """Give the next whole line without its break; None when it is not complete yet."""
        end = self._held.find(b"\n")
        if max(end, 0) > self._longest or (end < 0 and len(self._held) > self._longest):
            return Garbage("line too long")
        if end < 0:
            return None
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        return line.removesuffix(b"\r")


@dataclass(slots=True)
class HeaderReader:
    """Reads the header of one session. `lines` is handed on to the `ReplyReader`: what follows is the dialogue."""

    lines: Lines = field(default_factory=Lines)
    _values: dict[str, str] = field(default_factory=dict)
    _bytes: int = 0

    def feed(self, data: bytes) -> Header | Garbage | None:
        """Take bytes in; the header once it is whole, None while it is not."""
        self._bytes += len(data)
        self.lines.feed(data)
        while (line := self.lines.next()) is not None:
            if isinstance(line, Garbage):
                return line
            if not line:
                return self._whole()
            if (wrong := self._take(line)) is not None:
                return wrong
        if self._bytes > HEADER_BYTES_MAX:
            return Garbage("header too long")
        return None

    def _take(self, line: bytes) -> Garbage | None:
        """Keep one header line, or say why the session must end."""
        key, colon, value = line.decode("utf-8", "replace").partition(":")
        if not colon or not _KEY.fullmatch(key) or "\0" in value:
            return Garbage("header line of no known form")
        if key in self._values:
            return Garbage(f"repeated header {key}")
        if key.startswith(_ARGUMENT) and _LAST not in self._values:
            return Garbage("an argument before the end of the header")
        self._values[key] = value.removeprefix(" ")
        return None

    def _whole(self) -> Header | Garbage:
        """Judge the header as a whole, at its empty line."""
        if self._bytes - self.lines.held > HEADER_BYTES_MAX:
            return Garbage("header too long")
        missing = [key for key in REQUIRED if not self._values.get(key)]
        if missing:
            return Garbage(f"header without {missing[0]}")
        return Header(self._values)


class ReplyReader:
    """Reads what Asterisk says after the header: replies, usage blocks and HANGUP."""

    def __init__(self, lines: Lines | None = None) -> None:
        self._lines = Lines() if lines is None else lines
        self._usage: list[str] | None = None

    def feed(self, data: bytes) -> None:
        self._lines.feed(data)

    def next(self) -> Reply | Hangup | Garbage | None:
        """Give what comes next; None when more bytes are needed."""
        while (line := self._lines.next()) is not None:
            if isinstance(line, Garbage):
                return line
            if b"\0" in line:
                return Garbage("NUL in a reply")
            said = self._said(line.decode("utf-8", "replace"))
            if said is not None:
                return said
        return None

    def _said(self, line: str) -> Reply | Hangup | Garbage | None:
        """Judge one line, knowing whether a usage block is open."""
        if line == "HANGUP":
            return Hangup()
        found = _REPLY.fullmatch(line)
        if self._usage is not None:
            return self._in_usage(self._usage, line, found)
        if found is None:
            return Garbage("a line that is no reply")
        code = int(found["code"])
        if found["sep"] == "-":
            self._usage = [found["text"]]
            return None if code == _USAGE else Garbage("a block of no known code")
        if code < 200:  # noqa: PLR2004 - below it stands "trying", the answer is still to come
            return None
        return _reply(code, found["text"])

    def _in_usage(self, usage: list[str], line: str, found: re.Match[str] | None) -> Reply | Garbage | None:
        """Collect a usage block up to its end, the line `520 End of proper usage.`: that line is dropped."""
        if found is not None and found["sep"] == " " and int(found["code"]) == _USAGE:
            self._usage = None
            return Reply(_USAGE, data="\n".join(usage))
        if len(usage) >= USAGE_LINES_MAX:
            return Garbage("usage block without end")
        usage.append(line)
        return None


def _reply(code: int, text: str) -> Reply:
    """Take the text of a one-line reply apart."""
    found = _RESULT.match(text)
    if found is None:
        return Reply(code, data=text)
    return Reply(code, found["result"], found["data"] or "")


def encode(verb: str, *arguments: str) -> bytes:
    """Write one command. ValueError for whatever could become a second one or arrive changed."""
    if not _VERB.fullmatch(verb):
        raise ValueError("an AGI command is made of capital letters")
    if len(arguments) > ARGUMENTS_MAX:
        raise ValueError(f"more than {ARGUMENTS_MAX} AGI arguments")
    line = " ".join((verb, *(_quoted(argument) for argument in arguments)))
    if len(line) >= LINE_BYTES_MAX:
        raise ValueError(f"an AGI command of {LINE_BYTES_MAX} bytes or more")
    return line.encode("ascii") + b"\n"


def _quoted(argument: str) -> str:
    """Quote one argument the way Asterisk takes it apart (res_agi.c, parse_args)."""
    if not _PRINTABLE.fullmatch(argument):
        raise ValueError("an AGI argument holds printable ASCII only")
    if len(argument) > ARGUMENT_BYTES_MAX:
        raise ValueError(f"an AGI argument over {ARGUMENT_BYTES_MAX} bytes")
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
