"""Writes what live rows of this program look like, and which columns it knows, for the programs after it (F33).

    .venv/bin/python -m tests.store.live_rows

Two files a schema. `data/live_NNNN.json`: rows `[kind, id, live schema, body]` of every phase of a call and of an agent
and of everything else that lives, with every field set and with none. `data/tables_NNNN.json`: the columns of every
table this program reads and writes. Run when a migration is added, and once more before a release; never to make a red
test green.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from controller.core import codec, model
from controller.store.tables import LIVE_SCHEMA, SCHEMA_REVISION, metadata

FOLDER = Path(__file__).parent / "data"
T0_MS = 1_700_000_000_000


def full(hint: Any, name: str, n: int) -> Any:
    """A value of this type that is not a default, told from others by its name and `n`."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return full(next(arg for arg in args if arg is not type(None)), name, n)
    if origin is tuple:
        inner = args[:1] if args[-1] is Ellipsis else args
        return tuple(full(arg, name, n) for arg in inner)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return made(hint, n)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return list(hint)[-1]
    plain: dict[Any, Any] = {bool: True, int: T0_MS + n if name.endswith("_ms") else n + 1, float: n + 0.5}
    return plain.get(hint, f"{name}-{n}")


def made(cls: type, n: int, **given: Any) -> Any:
    """An entity with every field set."""
    hints = get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    return cls(**{name: full(hints[name], name, n) for name in names} | given)


def bare(cls: type, n: int, **given: Any) -> Any:
    """An entity with nothing set that may be left out."""
    hints = get_type_hints(cls)
    wanted = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return cls(**{name: full(hints[name], name, n) for name in wanted} | given)


def entities() -> Iterator[Any]:
    """One of each."""
    n = 0
    for maker in (made, bare):
        for phase in model.Phase:
            n += 1
            yield maker(model.Call, n, id=f"1700000000.{n}", phase=phase)
        for agent_phase in model.AgentPhase:
            n += 1
            yield maker(model.Agent, n, phase=agent_phase)
        for cls in get_args(model.Entity):
            if cls not in (model.Call, model.Agent):
                n += 1
                yield maker(cls, n)


def tables() -> dict[str, list[str]]:
    """The columns this program knows, by their table."""
    return {name: [column.name for column in table.columns] for name, table in sorted(metadata.tables.items())}


def main() -> None:
    """Write the files of the schema in force."""
    rows = [[*model.key_of(row), LIVE_SCHEMA, codec.dumps_live(row)] for row in entities()]
    path = FOLDER / f"live_{SCHEMA_REVISION}.json"
    path.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n", encoding="utf-8")
    print(f"{path.name}: {len(rows)} rows")
    known = (f"{json.dumps(name)}: {json.dumps(columns)}" for name, columns in tables().items())
    path = FOLDER / f"tables_{SCHEMA_REVISION}.json"
    path.write_text("{\n" + ",\n".join(known) + "\n}\n", encoding="utf-8")
    print(f"{path.name}: {len(metadata.tables)} tables")


if __name__ == "__main__":
    main()
