"""As much of DNS as ENUM needs: one question for NAPTR records, and what the answer says (RFC 1035, RFC 3403). Pure.

Nothing is resolved here: the question goes to one server, which is our neighbour or our operator's. Every length and
pointer of an answer is checked, because a datagram is anybody's word.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

NAPTR: Final = 35
IN: Final = 1
NO_ERROR: Final = 0
NO_SUCH_NAME: Final = 3
ANSWER_BYTES_MAX: Final = 4_096
LABEL_MAX: Final = 63
NAME_MAX: Final = 255
RECORDS_MAX: Final = 64
_HEADER: Final = struct.Struct("!HHHHHH")
_RECORD: Final = struct.Struct("!HHIH")
_QUESTION: Final = struct.Struct("!HH")
_ORDER: Final = struct.Struct("!HH")
_RESPONSE, _TRUNCATED, _RECURSION_DESIRED = 0x8000, 0x0200, 0x0100
_POINTER: Final = 0xC0


class MalformedError(ValueError):
    """What came is no answer to what was asked."""


@dataclass(frozen=True, slots=True, order=True)
class Naptr:
    """One record; they sort as they are to be tried."""

    order: int
    preference: int
    flags: str
    services: str
    regexp: str


def question(ident: int, name: str) -> bytes:
    """A question for the NAPTR records of a name. ValueError when it is no name."""
    return _HEADER.pack(ident, _RECURSION_DESIRED, 1, 0, 0, 0) + _encoded(name) + _QUESTION.pack(NAPTR, IN)


def answer(packet: bytes, ident: int, name: str) -> tuple[Naptr, ...]:
    """The records of an answer, in the order to try them; none when there is no such name. MalformedError."""
    if len(packet) < _HEADER.size:
        raise MalformedError("an answer that is cut short")
    found, flags, questions, answers, _, _ = _HEADER.unpack_from(packet)
    asked = _encoded(name) + _QUESTION.pack(NAPTR, IN)
    if found != ident or not flags & _RESPONSE or questions != 1:
        raise MalformedError("an answer to something else")
    at = _HEADER.size + len(asked)
    if packet[_HEADER.size : at].lower() != asked.lower():
        raise MalformedError("an answer to another question")
    if flags & _TRUNCATED:
        raise MalformedError("an answer too long for a datagram")
    rcode = flags & 0x000F
    if rcode not in {NO_ERROR, NO_SUCH_NAME}:
        raise MalformedError(f"the server says error {rcode}")
    try:
        return tuple(sorted(_records(packet, at, min(answers, RECORDS_MAX))))
    except (struct.error, IndexError):
        raise MalformedError("an answer that is cut short") from None


def _records(packet: bytes, at: int, many: int) -> list[Naptr]:
    found: list[Naptr] = []
    for _ in range(many):
        at = _after_name(packet, at)
        kind, klass, _, length = _RECORD.unpack_from(packet, at)
        at += _RECORD.size
        data = packet[at : at + length]
        if len(data) != length:
            raise MalformedError("an answer that is cut short")
        at += length
        if (kind, klass) == (NAPTR, IN):
            found.append(_naptr(data))
    return found


def _naptr(data: bytes) -> Naptr:
    order, preference = _ORDER.unpack_from(data)
    at, texts = _ORDER.size, []
    for _ in range(3):
        length = data[at]
        text = data[at + 1 : at + 1 + length]
        if len(text) != length:
            raise MalformedError("a record that is cut short")
        texts.append(text.decode("ascii", "replace"))
        at += 1 + length
    return Naptr(order, preference, *texts)


def _after_name(packet: bytes, at: int) -> int:
    """Where a name ends. What it says is of no interest, so pointers are passed over and never followed."""
    for _ in range(NAME_MAX):
        length = packet[at]
        if length & _POINTER == _POINTER:
            return at + 2
        if length > LABEL_MAX:
            raise MalformedError("a name that is none")
        at += 1 + length
        if not length:
            return at
    raise MalformedError("a name without an end")


def _encoded(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) <= LABEL_MAX for label in labels) or sum(map(len, labels)) + len(labels) >= NAME_MAX:
        raise ValueError("no name of the DNS")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
