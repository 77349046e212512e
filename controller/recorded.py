"""Events as the journal keeps them, and back: whole, but for two that are too large or hold what nobody may read.

A setup holds the passwords of phones: its version is kept, the books know the text. A snapshot is kept as rows without
names and without the channels that are no concern of ours, and only when something followed from it, as is a deadline:
what an audit finds as it should be, every half minute, is no news.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from controller.core import codec, events, ids
from controller.core.events import BridgeSeen, ChannelSeen, EndpointSeen, Event, SetupChanged, SnapshotTaken, Ticked
from controller.core.setup import Setup
from controller.core.world import World
from controller.ports import Line

ROWS_MAX: Final = 5_000
"""Channels, bridges and endpoints of one snapshot (some 350 kB): of a larger one only its time is kept."""
VERSION, BEGAN, LEFT_OUT = "version", "began", "left_out"
_ROWS: Final = {"channels": ChannelSeen, "bridges": BridgeSeen, "endpoints": EndpointSeen, "trunks": EndpointSeen}
_NAMES: Final = {key: tuple(field.name for field in fields(cls)) for key, cls in _ROWS.items()}
_READ: Final = {key: attrgetter(*names) for key, names in _NAMES.items()}

Body = dict[str, Any]


def written(event: Event, world: World, *, in_effect: bool, began: bool) -> tuple[str, Body] | None:
    """Name and body of an event for the journal, None when it is not kept.

    `in_effect`: something followed from it. `began`: it is the first of this process.
    """
    if isinstance(event, (SnapshotTaken, Ticked)) and not in_effect:
        return None
    name = type(event).__name__
    if isinstance(event, SetupChanged):
        return name, {VERSION: event.setup.version, **({BEGAN: True} if began else {})}
    if isinstance(event, SnapshotTaken):
        return name, _of_snapshot(event, world)
    body = codec.encode(event)
    body.pop("type")
    return name, body


def read(line: Line, setup: Setup) -> Event | None:
    """Build the event of a line; None for one this program does not know. `setup` is the one of a `SetupChanged`."""
    found = getattr(events, line.name, None)
    if not isinstance(found, type) or line.kind != "event":
        return None
    if found is SetupChanged:
        return SetupChanged(setup)
    names = {field.name for field in fields(found)}
    call = {"call": line.call} if "call" in names else {}
    try:
        body = _snapshot(line.body) if found is SnapshotTaken else line.body
        return codec.decode({"type": line.name, **call, **body})  # type: ignore[no-any-return]  # it is an Event
    except (TypeError, ValueError):
        return None


def version_of(line: Line) -> int | None:
    """Which setup a line puts in force, None when it puts none."""
    version = line.body.get(VERSION) if line.name == "SetupChanged" else None
    return version if isinstance(version, int) else None


def begins(line: Line) -> bool:
    """Whether another process begins here, with what the books hold."""
    return line.name == "SetupChanged" and line.body.get(BEGAN) is True


def _of_snapshot(event: SnapshotTaken, world: World) -> Body:
    kept: dict[str, Collection[Any]] = {
        "channels": [row for row in event.channels if _concerns_us(row, world)],
        "bridges": [row for row in event.bridges if ids.parse(row.id)],
        "endpoints": event.endpoints,
        "trunks": event.trunks,
    }
    body: Body = {"boot": event.boot, "asked_at_ms": event.asked_at_ms}
    count = sum(map(len, kept.values()))
    if count > ROWS_MAX:
        return body | {LEFT_OUT: count}
    return body | {key: [_READ[key](row) for row in rows] for key, rows in kept.items() if rows}


def _concerns_us(channel: ChannelSeen, world: World) -> bool:
    """Whether a channel is looked at by its own name: in our application, made by us, or one of a call of ours."""
    known = channel.id in world.calls or world.is_over(channel.id)
    return known or channel.ours or ids.parse(channel.id) is not None


def _snapshot(body: Body) -> Body:
    """What `codec` reads; ValueError where rows were left out, for nothing can be told by them."""
    if LEFT_OUT in body:
        raise ValueError("too large to be kept")
    rows = {key: [dict(zip(_NAMES[key], row, strict=True)) for row in body.get(key, ())] for key in _ROWS}
    return body | rows
