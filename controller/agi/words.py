"""What a channel says, held against its alphabet: endpoints, outcomes of Dial and counts."""

from __future__ import annotations

import re
from typing import Final

ANSWERED_S_MAX: Final = 7 * 24 * 3600

_CHANNEL: Final = re.compile(r"PJSIP/(?P<endpoint>[A-Za-z0-9_.@+-]{1,80})-[0-9a-f]{8}")
_STATUS: Final = re.compile(r"[A-Z]{1,16}")
_COUNT: Final = re.compile(r"[0-9]{1,9}")


def endpoint_of(channel: str) -> str:
    """The PJSIP endpoint a channel's name tells; empty for any other kind of channel."""
    found = _CHANNEL.fullmatch(channel)
    return found["endpoint"] if found else ""


def status_of(text: str) -> str:
    """A DIALSTATUS; empty when it is none."""
    return text if _STATUS.fullmatch(text) else ""


def number_of(text: str, most: int) -> int:
    """A count the dialplan passed; 0 when it is none, `most` when it is more."""
    return min(int(text), most) if _COUNT.fullmatch(text) else 0
