"""What changes between two setups, row by row and key by key, for the person who is about to apply one.

A line begins with `+` (new), `-` (gone) or `~` (changed). Secrets are told to have changed and never shown. The order
of a table matters where it is the tie-break of a choice, so a changed order is told too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from controller.core.setup import Setup

TABLES: tuple[tuple[str, str, str], ...] = (
    ("trunk", "trunks", "name"),
    ("carrier", "carriers", "name"),
    ("hotline", "hotlines", "number"),
    ("adaptive", "adaptives", "name"),
    ("menu", "menus", "name"),
    ("queue", "queues", "name"),
    ("group", "groups", "name"),
    ("agent", "agents", "name"),
    ("blocked", "blocked", "number"),
    ("ported", "ported", "number"),
    ("schedule", "schedules", "name"),
    ("webhook", "webhooks", "name"),
)
"""Name of each table in the setup file, its field in `Setup`, and the key that names its rows."""

SECRET = "(secret)"  # noqa: S105 - what is shown in the place of one
SHOWN_MAX = 60


def difference(before: Setup, after: Setup) -> tuple[str, ...]:
    """List what changes from `before` to `after`, in the order of the file; empty when nothing does."""
    return tuple(_lines(before, after))


def _lines(before: Setup, after: Setup) -> Iterator[str]:
    for key, old, new in _changed(before.defaults, after.defaults):
        yield f"~ defaults: {key} {old} -> {new}"
    for table, field, naming in TABLES:
        yield from _table(table, _named(getattr(before, field), naming), _named(getattr(after, field), naming))


def _named(rows: tuple[Any, ...], naming: str) -> dict[str, Any]:
    """Rows by name; a blocked prefix is written with a star, the number itself may be blocked beside it."""
    return {f"{getattr(row, naming)}{'*' if getattr(row, 'prefix', False) is True else ''}": row for row in rows}


def _table(table: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for name in before:
        if name not in after:
            yield f"- {table} {name}"
    for name, row in after.items():
        if name not in before:
            yield f"+ {table} {name}"
            continue
        for key, old, new in _changed(before[name], row):
            yield f"~ {table} {name}: {key} {old} -> {new}"
    stayed = [name for name in before if name in after]
    if stayed != [name for name in after if name in before]:
        yield f"~ {table}: another order"


def _changed(before: Any, after: Any, above: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (key, old, new) of every field that differs; fields that hold a record are taken apart."""
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old == new:
            continue
        key = f"{above}{field.name}"
        if is_dataclass(old) and type(old) is type(new):
            yield from _changed(old, new, f"{key}.")
        elif not field.repr:
            yield key, SECRET, SECRET
        else:
            yield key, _shown(old), _shown(new)


def _shown(value: Any) -> str:
    """Write a value in a few characters."""
    if value is None or value in {"", ()}:
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        text = ", ".join(_shown(item) for item in value)
    elif is_dataclass(value):
        parts = [(item.name, getattr(value, item.name)) for item in fields(value) if item.repr]
        text = " ".join(f"{name}={_shown(part)}" for name, part in parts if part not in {None, "", ()})
    else:
        text = str(value)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"
