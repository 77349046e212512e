"""Turns of the engine as rows: pure, so that what a commit writes can be tested without a database.

Each row has a key of its own (the number of a fact, the id of a call, the leg of an offer, the digest of story
lines), so a turn written a second time after an unknown outcome changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Container, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from controller.core import codec
from controller.core.facts import AlertCleared, AlertRaised, CallAnswered, CallEnded, CallOffered, OfferEnded
from controller.core.model import Entity
from controller.ports import Deed, Line, Said, Turn
from controller.store.statements import NAMES, Row
from controller.store.tables import LIVE_SCHEMA, calls

Batch = dict[str, list[Row]]
"""Rows by statement; only statements with rows are named."""

INT64_MAX: Final = 2**63 - 1
STORY_LEVEL: Final = 6
"""zlib's own default: a story of 4 kB shrinks to a fifth in 60 µs, once a call."""
_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), default=str, check_circular=False).encode

_CALL_ENDED: Final[Callable[[CallEnded], tuple[Any, ...]]] = attrgetter(
    "call", *(column.name for column in calls.columns if column.name != "id")
)
_DEED: Final[Callable[[Deed], tuple[Any, ...]]] = attrgetter(*NAMES["deed"][1:])


def batch_of(turns: Sequence[Turn]) -> Batch:
    """Rows of these turns in order; of several changes to one live row only the last one counts."""
    found: Batch = {name: [] for name in NAMES}
    last: dict[tuple[str, str], Entity | None] = {}
    for turn in turns:
        for change in turn.changes:
            last[change.kind, change.id] = change.after
        for said in turn.facts:
            _fact(found, said)
        for call, lines in turn.stories:
            if lines:
                found["story"].append(_story(call, turn.at_ms, lines))
        for deed in turn.deeds:
            found["deed"].append((turn.at_ms, *_DEED(deed)))
    for (kind, name), entity in last.items():
        if entity is None:
            found["live_drop"].append((kind, name))
        else:
            found["live_put"].append((kind, name, LIVE_SCHEMA, codec.dumps_live(entity)))
    return {name: rows for name, rows in found.items() if rows}


def history_of(turn: Turn, calls_of: Container[str]) -> Turn:
    """Return what a turn tells of these calls, and what people did by hand, without any live row.

    Its facts make rows of history (`batch_of`); the rows of the facts themselves are the caller's to leave out.
    """
    return Turn(
        turn.at_ms,
        facts=tuple(said for said in turn.facts if getattr(said.fact, "call", "") in calls_of),
        stories=tuple(row for row in turn.stories if row[0] in calls_of),
        deeds=turn.deeds,
    )


def ended_in(turns: Iterable[Turn]) -> list[str]:
    """List the calls that ended in these turns."""
    return [said.fact.call for turn in turns for said in turn.facts if isinstance(said.fact, CallEnded)]


def _fact(found: Batch, said: Said) -> None:
    """Add a fact, and the history it makes."""
    fact, at_ms = said.fact, said.at_ms
    found["fact"].append((said.seq, at_ms, getattr(fact, "call", ""), type(fact).__name__, codec.dumps(fact)))
    match fact:
        case CallEnded():
            found["call"].append(_CALL_ENDED(fact))
        case CallOffered(call, queue, agent, leg, why):
            found["offer"].append((leg, call, queue, agent, why, at_ms, None, ""))
        case OfferEnded(call, queue, agent, leg, outcome, rang_ms):
            found["offer_end"].append((leg, call, queue, agent, "", at_ms - rang_ms, at_ms, outcome))
        case CallAnswered(call=call, agent=agent) if agent:
            found["offer_answer"].append((at_ms, call, agent, at_ms))
        case AlertRaised(alert, kind, call, hotline, queue, agent, limit_s):
            found["alert"].append((alert, kind, call, hotline, queue, agent, limit_s, at_ms, None))
        case AlertCleared(alert=alert):
            found["alert_clear"].append((at_ms, alert))
        case _:
            return


def _story(call: str, at_ms: int, lines: Iterable[Line]) -> Row:
    text = "\n".join(_ENCODE(line.row) for line in lines).encode()
    part = hashlib.blake2b(text, digest_size=12).hexdigest()
    return call, part, at_ms, zlib.compress(text, STORY_LEVEL)


def story_lines(call: str, packed: bytes) -> list[Line]:
    """Lines of a story as they were before `batch_of` packed them."""
    return [Line.of(call, json.loads(text)) for text in zlib.decompress(packed).decode().split("\n")]


def scrubbed(batch: Batch) -> Batch:
    """Return the same rows without what no database takes: NUL and broken characters, numbers beyond 64 bits.

    The doors cut such things off before they become events. Should one slip through, it must not keep every later
    turn out of the books.
    """
    return {name: [tuple(fitting(value) for value in row) for row in rows] for name, rows in batch.items()}


def fitting(value: Any) -> Any:
    """Return a value as near to this one as every database takes."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    if isinstance(value, int):
        return max(-INT64_MAX, min(INT64_MAX, value))
    return value
