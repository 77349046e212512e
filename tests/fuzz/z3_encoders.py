"""Z3: any text as an argument of what we send; a strict reader finds one command with that argument, or it was refused.

Two encoders write to Asterisk: lines of FastAGI, and requests of ARI (a plan, then path, query and body).
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import fields, replace
from urllib.parse import parse_qsl, unquote, urlsplit

from controller.agi.protocol import encode
from controller.ari.operation import Operation
from controller.ari.requests import OPERATIONS, plan
from controller.core import commands as do
from tests.fuzz.texts import any_text
from tests.wire.agi_broken import taken_apart
from tests.wire.ari_commands import COMMANDS

TEXTS = 60
VERBS = ("SET VARIABLE", "NOOP", "EXEC", "VERBOSE")
_BODY = frozenset({"variables", "filter"})
_TARGET = re.compile(r"[A-Za-z0-9/_.~%?=&-]+")
_ENDPOINT = re.compile(r"PJSIP/(?:\+?[0-9*#]{1,32}@)?[A-Za-z0-9_.-]{1,80}")


class Z3:
    ID = "Z3"
    ASKED = "one command with that argument, or refused; CR, LF and NUL never sent"

    def __init__(self) -> None:
        self.sent = self.refused = 0

    def batch(self, dice: random.Random) -> int:
        for _ in range(TEXTS):
            self._line([any_text(dice) for _ in range(dice.randint(1, 4))], dice.choice(VERBS))
            self._request(dice.choice(COMMANDS), dice)
        return 2 * TEXTS

    def _line(self, arguments: list[str], verb: str) -> None:
        try:
            line = encode(verb, *arguments)
        except ValueError:
            self.refused += 1
            return
        assert b"\r" not in line
        assert b"\0" not in line
        assert taken_apart(line) == [*verb.split(), *arguments], arguments
        self.sent += 1

    def _request(self, command: do.Command, dice: random.Random) -> None:
        """One field of a command holds this text; what goes out is held against the description once more."""
        names = [row.name for row in fields(command) if isinstance(getattr(command, row.name), str)]
        spoilt = replace(command, **{dice.choice(names): any_text(dice)})
        try:
            asks = plan(spoilt, "tongdai")
        except ValueError:
            self.refused += 1
            return
        for ask in asks:
            _judge(ask.operation, ask.parameters)
        self.sent += 1

    def seen(self) -> dict[str, object]:
        return {"exceptions": 0, "sent": self.sent, "refused": self.refused, "pass": self.sent > 0 and self.refused > 0}

    def close(self) -> None:
        pass


def _operation(name: str) -> Operation:
    """The operation as Asterisk describes it: ids in the path, maps in the body, all else in the query."""
    used = OPERATIONS[name]
    inside = [one for one in used if one in {"channelId", "bridgeId", "playbackId", "snoopId"}]
    kinds = {one: "body" if one in _BODY else "path" if one in inside else "query" for one in used}
    rows = [{"name": one, "paramType": kind} for one, kind in kinds.items()]
    return Operation(name, "POST", "/x" + "".join(f"/{{{one}}}" for one in inside), rows)


def _judge(name: str, parameters: dict[str, object]) -> None:
    operation = _operation(name)
    _, target, body = operation.encode(parameters)
    assert _TARGET.fullmatch(target), target
    assert b"\r" not in body
    assert b"\n" not in body
    split = urlsplit(target)
    asked = dict(parse_qsl(split.query, keep_blank_values=True, strict_parsing=bool(split.query)))
    path = [unquote(piece) for piece in split.path.split("/")[2:]]
    wanted = {one: value for one, value in parameters.items() if operation.kinds[one] == "query"}
    assert asked == {one: _spelled(value) for one, value in wanted.items()}, target
    assert path == [parameters[one] for one, kind in operation.kinds.items() if kind == "path"], target
    if body:
        assert json.loads(body) == {one: parameters[one] for one in _BODY & parameters.keys()}
    if "endpoint" in parameters:
        assert _ENDPOINT.fullmatch(str(parameters["endpoint"])), parameters["endpoint"]


def _spelled(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
