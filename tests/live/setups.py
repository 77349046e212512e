"""Setups for the live tests, written as the setup file is: trunks on loopback, six agents, short times."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live.floor import AGENTS, CARRIERS, PASSWORD

HOTLINE = "+842473001001"
RING_S = 25
RING_MIN_S = 3
"""The shortest ring time there is, for tests in which nobody picks up."""
UNLIMITED = "[defaults]\nagent_limits = { calls_per_minute = 0, calls_per_day = 0, minutes_per_day = 0 }\n\n"
"""The agents of the tests dial more in a minute than a person does."""

ODDITIES = pytest.mark.shows("O", "tests of all 24 SIP oddities, every side", "24 of 24, nothing left behind")
"""What the rows of docs/sip-oddities.md show together (`make faults`)."""


def hotline(number: str = HOTLINE, **keys: Any) -> str:
    """A hotline on the first trunk, with an answer time off and no rest after a call."""
    return table("hotline", {"number": number, "name": f"Line {number[-2:]}", "trunk": "viettel", "wrap_up": 0} | keys)


def queue(name: str, *groups: str, **keys: Any) -> str:
    """A queue whose agents ring for longer than a machine stands still; the first group is primary."""
    serving = [{"name": group, "primary": n == 0} for n, group in enumerate(groups or ("team",))]
    base = {"name": name, "groups": serving, "strategy": "linear", "ring_time": RING_S, "wrap_up": 0, "record": False}
    return table("queue", base | {"overflow": "hangup"} | keys)


def menu(name: str, **keys: Any) -> str:
    """A menu with a short prompt."""
    return table("menu", {"name": name, "play": "live-short", "timeout": 1} | keys)


def table(kind: str, keys: dict[str, Any]) -> str:
    """One table of the setup file."""
    return f"[[{kind}]]\n" + "".join(f"{key} = {written(value)}\n" for key, value in keys.items()) + "\n"


def written(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {written(row)}" for key, row in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(written(row) for row in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def people(groups: dict[str, tuple[str, ...]] | None = None, agents: dict[str, Any] | None = None) -> str:
    """The six agents in their groups (everybody in `team` unless told so); `agents` adds keys by name."""
    groups = groups or {"team": AGENTS}
    rows = [table("group", {"name": name}) for name in groups]
    for n, name in enumerate(AGENTS):
        mine = [group for group, names in groups.items() if name in names]
        agent = {"name": name, "groups": mine, "extension": str(101 + n), "phone": {"user": name, "password": PASSWORD}}
        rows.append(table("agent", agent | (agents or {}).get(name, {})))
    return "".join(rows)


def trunks(**keys: dict[str, Any]) -> str:
    """One trunk an operator, and a spare one of the first operator; `keys` by trunk name."""
    rows = []
    for name, host in CARRIERS.items():
        row = {"name": name, "carrier": "viettel" if name == "spare" else name, "host": f"{host}:@TRUNK@"}
        rows.append(table("trunk", row | keys.get(name, {})))
    return "".join(rows)


def whole(*parts: str, groups: dict[str, tuple[str, ...]] | None = None, agents: dict[str, Any] | None = None) -> str:
    """A whole setup: trunks and people, and what a module adds."""
    return UNLIMITED + trunks() + people(groups, agents) + "".join(parts)


BASE = whole(hotline(queue="sales"), queue("sales"))
