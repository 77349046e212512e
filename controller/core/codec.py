# ruff: noqa: TRY004 - what cannot be read is one kind of error for those who read: ValueError
"""Values of the core as JSON and back: `decode(encode(x)) == x` for every event, command, fact and live row.

Only the outermost object carries its class name (`type`); what is inside is read by the field's declared type. A key
that is missing takes the field's default, so that rows of an older version still load; an unknown key, a wrong type
or an unknown class is a ValueError, never a guess.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any, Union, get_args, get_origin, get_type_hints

from controller.core import commands, events, facts, model

JSON = dict[str, Any]
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)
"""Keys come to it in order (`_sorted_writer`), and values of the core hold no circles: half of its price."""
_PLAIN = (str, int, bool, float, type(None))
_PLAIN_SET = frozenset(_PLAIN)


def _members(*unions: object) -> dict[str, type]:
    return {cls.__name__: cls for union in unions for cls in get_args(union)}


_CLASSES = _members(events.Event, commands.Command, facts.Fact, model.Entity)


def encode(value: object) -> JSON:
    """Turn a dataclass of the core into a JSON object with its class name under `type`."""
    cls: Any = type(value)
    name, names, read, nested = _writer(cls)
    out: JSON = {"type": name}
    out.update(zip(names, read(value), strict=True))
    for inner in nested:
        out[inner] = _plain(out[inner])
    return out


def decode(data: object) -> Any:
    """Turn a JSON object back into the value it was; ValueError when it is not one of ours."""
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    cls = _CLASSES.get(str(data.get("type")))
    if cls is None:
        raise ValueError(f"unknown type {str(data.get('type'))[:40]!r}")
    return _build(cls, {key: value for key, value in data.items() if key != "type"})


def dumps(value: object) -> str:
    """`encode` as compact text with sorted keys: equal values give equal bytes."""
    cls: Any = type(value)
    names, read, nested, _ = _sorted_writer(cls)
    out = dict(zip(names, read(value), strict=True))
    for inner in nested:
        out[inner] = _plain(out[inner])
    return _ENCODER.encode(out)


def dumps_live(value: object) -> str:
    """`dumps` without the fields that stand at their default: most of a row, which is written at every change.

    `loads` fills them in. So a default is part of what a stored row says: another one needs a migration.
    """
    cls: Any = type(value)
    names, read, nested, defaults = _sorted_writer(cls)
    rows = zip(names, read(value), defaults, strict=True)
    out = {name: item for name, item, default in rows if item is not default and item != default}
    for inner in nested:
        if inner in out:
            out[inner] = _plain(out[inner])
    return _ENCODER.encode(out)


def loads(text: str) -> Any:
    """`decode` of text; ValueError when it is torn or foreign."""
    try:
        return decode(json.loads(text))
    except RecursionError as exc:
        raise ValueError("nested beyond reason") from exc


@cache
def _writer(cls: Any) -> tuple[str, tuple[str, ...], Callable[[Any], tuple[Any, ...]], tuple[str, ...]]:
    """How a class is written: its name, its fields, one call that reads them all, and those that are not plain."""
    names, hints = _names(cls), get_type_hints(cls)
    nested = tuple(name for name in names if not _is_plain(hints[name]))
    if len(names) > 1:
        return cls.__name__, names, attrgetter(*names), nested
    return cls.__name__, names, lambda value: tuple(getattr(value, name) for name in names), nested


@cache
def _inner_writer(cls: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """How a value inside another is written: its keys in order, without a class name, and what reads their values."""
    names = tuple(sorted(_names(cls)))
    if len(names) > 1:
        return names, attrgetter(*names)
    return names, lambda value: tuple(getattr(value, name) for name in names)


_Writer = tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]], tuple[str, ...], tuple[Any, ...]]


@cache
def _sorted_writer(cls: Any) -> _Writer:
    """Keys in order, `type` among them; one call that reads their values; those that are not plain; the defaults."""
    _, names, _, nested = _writer(cls)
    keys = tuple(sorted((*names, "type")))
    default_of = {field.name: field.default for field in fields(cls)}
    read = attrgetter(*("__class__.__name__" if key == "type" else key for key in keys))
    reads = read if len(keys) > 1 else lambda value: (read(value),)
    return keys, reads, nested, tuple(default_of.get(key, MISSING) for key in keys)


def _is_plain(hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return all(arg in _PLAIN for arg in get_args(hint))
    return hint in _PLAIN


@cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls) if field.init)


def _plain(value: Any) -> Any:
    cls: Any = type(value)
    if cls in _PLAIN_SET:
        return value
    if cls is tuple:
        return [item if type(item) in _PLAIN_SET else _plain(item) for item in value]
    if isinstance(value, StrEnum):
        return value.value
    names, read = _inner_writer(cls)
    out = dict(zip(names, read(value), strict=True))
    return {name: item if type(item) in _PLAIN_SET else _plain(item) for name, item in out.items()}


@cache
def _readers(cls: Any) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(cls)
    return {name: _reader(hints[name]) for name in _names(cls)}


def _build(cls: Any, data: object) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"{cls.__name__}: not an object")
    readers: dict[str, Callable[[Any], Any]] = _readers(cls)
    unknown = data.keys() - readers.keys()
    if unknown:
        raise ValueError(f"{cls.__name__}: unknown key {min(unknown)!r}")
    try:
        return cls(**{key: readers[key](value) for key, value in data.items()})
    except TypeError as exc:
        raise ValueError(f"{cls.__name__}: {exc}") from exc


def _reader(hint: Any) -> Callable[[Any], Any]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _optional(hint)
    if origin is tuple:
        return _tuple_of(get_args(hint))
    if is_dataclass(hint):
        return lambda value: _build(hint, value)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return lambda value: _exact(hint, value)


def _optional(hint: Any) -> Callable[[Any], Any]:
    inner = next(arg for arg in get_args(hint) if arg is not type(None))
    read = _reader(inner)
    return lambda value: None if value is None else read(value)


def _tuple_of(args: tuple[Any, ...]) -> Callable[[Any], Any]:
    if args[-1] is Ellipsis:
        each = _reader(args[0])
        return lambda value: tuple(each(item) for item in _list(value))
    parts = [_reader(arg) for arg in args]
    return lambda value: tuple(part(item) for part, item in zip(parts, _list(value), strict=True))


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


def _exact(hint: type, value: object) -> object:
    if type(value) is not hint:
        raise ValueError(f"{value!r:.40} is not {hint.__name__}")
    return value
