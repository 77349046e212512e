"""One operation of Asterisk's API description, made ready to be sent: a pure encoder, compiled once at start.

Any text may be a value: whatever is not a letter, digit or one of `_.-~` is percent-encoded in paths and queries and
escaped in JSON bodies, so that no value can end a line, a path or a request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

_PLACE: Final = re.compile(r"\{(\w+)\}")
_AS_IT_IS: Final = re.compile(r"[A-Za-z0-9_.~-]*")


class Operation:
    """What goes into the path, the query and the body, and how.

    `parameters` are the rows of the description. A body parameter of type `object` *is* the body (an event filter
    wrapped in its own name is accepted and ignored by Asterisk); others are members of it (`variables`, `fields`).
    """

    def __init__(self, name: str, method: str, path: str, parameters: Sequence[Mapping[str, object]]) -> None:
        self.name = name
        self.method = method
        self.kinds = {str(row["name"]): str(row["paramType"]) for row in parameters}
        self._bare = frozenset(str(row["name"]) for row in parameters if row.get("dataType") == "object")
        self._required = tuple(str(row["name"]) for row in parameters if row.get("required"))
        self._pieces = _PLACE.split(path)

    def encode(self, given: Mapping[str, object]) -> tuple[str, str, bytes]:
        """Method, target and body of one request; TypeError for a parameter that is unknown or missing."""
        query: list[str] = []
        body: object = None
        for name, value in given.items():
            match self.kinds.get(name):
                case None:
                    raise TypeError(f"{self.name} has no parameter {name!r}")
                case "query" if value is not None:
                    query.append(f"{name}={as_text(value)}")
                case "body" if value is not None:
                    body = value if name in self._bare else {**(body if isinstance(body, dict) else {}), name: value}
        for name in self._required:
            if given.get(name) is None:
                raise TypeError(f"{self.name} needs the parameter {name!r}")
        target = self._path(given)
        if query:
            target = f"{target}?{'&'.join(query)}"
        return self.method, target, b"" if body is None else json.dumps(body).encode("ascii")

    def _path(self, given: Mapping[str, object]) -> str:
        pieces = self._pieces
        if len(pieces) == 1:
            return pieces[0]
        return "".join(as_text(given[piece]) if at % 2 else piece for at, piece in enumerate(pieces))


def as_text(value: object) -> str:
    """A value as it stands in a URL: truth as a word, a list with commas between its members, the rest quoted."""
    if isinstance(value, str):
        return value if _AS_IT_IS.fullmatch(value) else quote(value, safe="")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "%2C".join(as_text(one) for one in value)
    if isinstance(value, int):
        return str(value)
    raise TypeError(f"a {type(value).__name__} cannot stand in a URL")
