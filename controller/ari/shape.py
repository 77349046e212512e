"""Reading what Asterisk's JSON should look like, without believing that it does. Nothing here raises."""

from __future__ import annotations

import json
import re
from typing import Final

Object = dict[str, object]

CHANNEL_ID: Final = re.compile(r"[A-Za-z0-9_.:@+-]{1,128}")
"""What the id of a channel, bridge or playback may look like."""

TECHNOLOGY: Final = "PJSIP"
_CHANNEL_NAME: Final = re.compile(r"PJSIP/(.{1,80})-[0-9a-f]{8}")
_STATES: Final = {
    "Down": "down",
    "Rsrvd": "down",
    "OffHook": "ring",
    "Dialing": "ring",
    "Ring": "ring",
    "Ringing": "ring",
    "Dialing Offhook": "ring",
    "Pre-ring": "ring",
    "Up": "up",
    "Busy": "up",
}


def parse(raw: str | bytes) -> object:
    """The value a JSON text stands for, or None when it is not JSON, or nested or long beyond reason."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def an_object(found: object) -> Object:
    """The same, if it is an object; else an empty one."""
    return found if isinstance(found, dict) else {}


def a_list(found: object) -> list[object]:
    """The same, if it is a list; else an empty one."""
    return found if isinstance(found, list) else []


def a_text(found: object) -> str:
    """The same, if it is a string; else an empty one."""
    return found if isinstance(found, str) else ""


def an_int(found: object, low: int, high: int) -> int | None:
    """The same, if it is a whole number between `low` and `high`; else None."""
    return found if type(found) is int and low <= found <= high else None


def an_id(found: object) -> str:
    """The same, if an id may look like that; else nothing."""
    return found if isinstance(found, str) and CHANNEL_ID.fullmatch(found) else ""


def endpoint_of(channel: Object) -> str:
    """The PJSIP endpoint a channel lives on, from its name (`PJSIP/an-0000001c`); nothing for any other channel."""
    found = _CHANNEL_NAME.fullmatch(a_text(channel.get("name")))
    return found[1] if found else ""


def state_of(channel: Object) -> str:
    """A channel's state as `down`, `ring` or `up`."""
    return _STATES.get(a_text(channel.get("state")), "down")
