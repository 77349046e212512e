"""Names of everything we create in Asterisk, chosen before the act.

A call is named after its caller's own channel (Asterisk's unique id). What we make for it carries that name in
front, so that with an empty database Asterisk alone still tells which leg belongs to which call, and a repeated
command meets its own earlier effect (409) instead of making a second one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_OURS = re.compile(r"(?P<call>[A-Za-z0-9_-]{1,64}\.[0-9]{1,12})\.(?:(?P<many>a|p|pb)(?P<n>[0-9]{1,6})|(?P<one>br|sn))")


class Name(NamedTuple):
    """A name taken apart: the call it serves, the kind of thing (`a p br pb sn`) and its number."""

    call: str
    kind: str
    n: int


def agent_leg(call: str, n: int) -> str:
    """Name the n-th leg a call rang at an agent's phone."""
    return f"{call}.a{n}"


def phone_leg(call: str, n: int) -> str:
    """Name the n-th leg a call rang at an outside phone number."""
    return f"{call}.p{n}"


def bridge(call: str) -> str:
    """Name the one mixing bridge a call ever has (a bridge id is never used twice: asterisk issue 211)."""
    return f"{call}.br"


def playback(call: str, n: int) -> str:
    """Name the n-th prompt played to a caller."""
    return f"{call}.pb{n}"


def snoop(call: str) -> str:
    """Name the listening channel that records an outbound call."""
    return f"{call}.sn"


def parse(name: str) -> Name | None:
    """Take one of our names apart; None for anybody else's channel, bridge or playback."""
    found = _OURS.fullmatch(name)
    if found is None:
        return None
    return Name(found["call"], found["many"] or found["one"], int(found["n"] or 0))
