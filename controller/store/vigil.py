"""Whether the holder of a lease still leads: decided from looks at it alone, without anybody's clock but our own.

The holder counts a number up while it lives (`beat`). A standby that sees the same number for `SILENT_S`, looking all
the while, may take over: so a holder that is frozen, whose machine is gone or who was cut off from the database is
told apart from a database that was silent to both. One whose session with the database ended is not waited for.

Books that can be read and not written silence every holder, a living one too: who `doubts` proves first that they can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LOOK_EVERY_S: Final = 0.2
SILENT_S: Final = 3.0
"""How long a holder may be silent."""
GAP_S: Final = 1.0
"""Two looks further apart than this prove nothing about the time between them: the watch begins anew."""
DOUBT_S: Final = 1.5
"""How long a holder is silent before it is asked whether it could speak."""
GONE_LOOKS: Final = 3
"""Looks in a row that find no session of the holder: it mends a cut connection sooner than that."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A lease as it stands: its holder (empty: nobody's), who that is, and whether its session is there."""

    holder: str
    name: str
    url: str
    epoch: int
    beat: int
    alive: bool


class Vigil:
    """Judges one look after another. `name` is ours: a lease under our own name is that of our last life."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._mark = (-1, -1)
        self._since_s = 0.0
        self._looked_s = 0.0
        self._gone = 0
        self._wanted = False

    @property
    def doubts(self) -> bool:
        """Whether the holder seems not to lead any more: the next look proves that the books can be written."""
        return self._wanted or self._gone > 0 or self._looked_s - self._since_s >= DOUBT_S

    def judge(self, seen: Seen, now_s: float) -> str:
        """Why the lease may be taken now; empty when it may not."""
        why = self._judge(seen, now_s)
        self._wanted = bool(why)
        return why

    def _judge(self, seen: Seen, now_s: float) -> str:
        mark = (seen.epoch, seen.beat)
        if mark != self._mark or now_s - self._looked_s > GAP_S:
            self._mark, self._since_s, self._gone = mark, now_s, 0
        self._looked_s = now_s
        self._gone = 0 if seen.alive else self._gone + 1
        if not seen.holder:
            return "nobody leads"
        if seen.name == self._name and not seen.alive:
            return "it was ours in an earlier life"
        if self._gone >= GONE_LOOKS:
            return f"{seen.name} is gone"
        if now_s - self._since_s >= SILENT_S:
            return f"{seen.name} has been silent for {SILENT_S:g} s"
        return ""
