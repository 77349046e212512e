"""The world: everything alive, and the orders kept over it.

Entities are looked up by name; three orders answer the questions a step asks without walking over everything: who
waits in a queue (oldest first), who is free for a queue and tier (best first by the queue's strategy), and what is
due next. `put` and `remove` change an entity and the orders that mention it; their cost grows with the logarithm of
the world at most (the lists move pointers, which at ten thousand entries is microseconds).

Only `core.turn.Turn` may call `put` and `remove`; everybody else reads.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from controller.core.due import next_deadline
from controller.core.model import (
    Agent,
    AgentPhase,
    AgentUse,
    Alert,
    Call,
    CalleeDay,
    Entity,
    HotlineState,
    Pbx,
    Phase,
    QueueDay,
    TrunkState,
    TrunkWindow,
    key_of,
)
from controller.core.setup import Setup, Strategy

Place = tuple[int, str]
"""A caller's place: (queued_at_ms, call id); the lower goes first."""
Rank = tuple[int, int, str]
"""A free agent's rank in a queue: (measure of the strategy, order of the setup, name); the lowest is chosen."""

OVER_MAX = 4_096
"""Ended calls remembered, so that a message that comes late cannot begin one of them again."""


def is_free(agent: Agent) -> bool:
    """Whether an agent may be offered a call now (docs/decisions.md: agent phone truth, wrap-up)."""
    return (
        agent.phase is AgentPhase.IDLE
        and agent.status == "available"
        and agent.reachable
        and agent.unreachable_until_ms is None
        and not agent.foreign
        and agent.wrap_up_until_ms is None
    )


def _measure(strategy: Strategy, agent: Agent) -> int:
    match strategy:
        case Strategy.LONGEST_IDLE:
            return agent.idle_since_ms
        case Strategy.ROUND_ROBIN:
            return agent.last_offered_ms
        case Strategy.FEWEST_CALLS:
            return agent.answered_today
        case Strategy.LINEAR | Strategy.RANDOM | Strategy.RING_ALL:
            return 0


_T = TypeVar("_T", Place, Rank)


class World:
    """All live entities with their indexes.

    `steps` counts the steps taken and `now_ms` is the time of the last; `resuming` is true until the first snapshot
    after a start, `linked` while Asterisk tells us what happens: nobody is rung while it does not. `over` are calls
    that ended before the start.
    """

    def __init__(self, setup: Setup | None = None, entities: Iterable[Entity] = (), over: Iterable[str] = ()) -> None:
        self.setup = setup or Setup()
        self.calls: dict[str, Call] = {}
        self.agents: dict[str, Agent] = {}
        self.trunks: dict[str, TrunkState] = {}
        self.trunk_windows: dict[str, TrunkWindow] = {}
        self.hotlines: dict[str, HotlineState] = {}
        self.agent_uses: dict[str, AgentUse] = {}
        self.callee_days: dict[str, CalleeDay] = {}
        self.alerts: dict[str, Alert] = {}
        self.queue_days: dict[str, QueueDay] = {}
        self.pbx: dict[str, Pbx] = {}
        self.steps = 0
        self.now_ms = 0
        self.resuming = True
        self.linked = False
        self.day = self.day_zone = self.figures_day = ""
        self.day_from_ms = self.day_ends_ms = 0
        self.agent_of_leg: dict[str, str] = {}
        self._over: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[str, list[Place]] = {}
        self._hungry: dict[str, list[Place]] = {}
        self._free: dict[tuple[str, int], list[Rank]] = {}
        self._signed_in: dict[str, int] = {}
        self._due: list[tuple[int, str, str]] = []
        self._tables: dict[str, dict[str, Any]] = {
            "call": self.calls,
            "agent": self.agents,
            "trunk": self.trunks,
            "trunk_window": self.trunk_windows,
            "hotline": self.hotlines,
            "agent_use": self.agent_uses,
            "callee_day": self.callee_days,
            "alert": self.alerts,
            "queue_day": self.queue_days,
            "pbx": self.pbx,
        }
        for entity in entities:
            self.put(entity)
        for call in over:
            self.note_over(call)

    # -- reading -------------------------------------------------------------------------------------------------

    def get(self, kind: str, name: str) -> Entity | None:
        """One live row by kind and id."""
        found: Entity | None = self._tables[kind].get(name)
        return found

    def entities(self) -> Iterator[Entity]:
        """Every live row, table by table in the order of arrival."""
        for table in self._tables.values():
            yield from table.values()

    def waiting(self, queue: str) -> list[Call]:
        """Callers in a queue, head first, those being offered included."""
        return [self.calls[call] for _, call in self._waiting.get(queue, ())]

    def queue_size(self, queue: str) -> int:
        """How many callers are in a queue."""
        return len(self._waiting.get(queue, ()))

    def position(self, call: Call) -> int | None:
        """Place of a waiting caller, 1 at the head; None when it does not wait."""
        if call.phase is not Phase.WAITING or call.queued_at_ms is None:
            return None
        places = self._waiting.get(call.queue, [])
        at = bisect_left(places, (call.queued_at_ms, call.id))
        return at + 1 if at < len(places) and places[at][1] == call.id else None

    def hungry(self, queue: str) -> list[Place]:
        """Waiting callers with no offer out, in order. Do not keep: it changes with the next `put`."""
        return self._hungry.get(queue, [])

    def free(self, queue: str, tier: int) -> list[Rank]:
        """Free agents of one tier of a queue, best first. Do not keep: it changes with the next `put`."""
        return self._free.get((queue, tier), [])

    def signed_in(self, queue: str) -> int:
        """How many agents of a queue are not offline."""
        return self._signed_in.get(queue, 0)

    def is_over(self, call: str) -> bool:
        """Whether a call with this id is known to have ended."""
        return call in self._over

    def ended(self) -> tuple[str, ...]:
        """The calls known to have ended, oldest first."""
        return tuple(self._over)

    def orders(self) -> dict[str, object]:
        """Every order as plain values: those of a world rebuilt from the same entities are equal."""
        return {
            "waiting": {queue: list(places) for queue, places in self._waiting.items() if places},
            "hungry": {queue: list(places) for queue, places in self._hungry.items() if places},
            "free": {key: list(ranks) for key, ranks in self._free.items() if ranks},
            "signed_in": {queue: count for queue, count in self._signed_in.items() if count},
            "legs": dict(self.agent_of_leg),
            "due": self.next_due_ms(),
        }

    def next_due_ms(self) -> int | None:
        """The nearest deadline of all, None when nothing is due ever."""
        while self._due:
            at_ms, kind, name = self._due[0]
            entity = self._tables[kind].get(name)
            if entity is not None and next_deadline(entity) == at_ms:
                return at_ms
            heapq.heappop(self._due)
        return None

    def first_due(self, now_ms: int) -> Entity | None:
        """The entity whose deadline came first, None when none lies at or before `now_ms`."""
        at_ms = self.next_due_ms()
        if at_ms is None or at_ms > now_ms:
            return None
        _, kind, name = self._due[0]
        entity: Entity = self._tables[kind][name]
        return entity

    # -- changing ------------------------------------------------------------------------------------------------

    def put(self, entity: Entity) -> Entity | None:
        """Put an entity in the place of its predecessor, which is returned (None when it is new)."""
        kind, name = key_of(entity)
        table = self._tables[kind]
        before: Entity | None = table.get(name)
        table[name] = entity
        self._reindex(before, entity)
        deadline = next_deadline(entity)
        if deadline is not None and (before is None or next_deadline(before) != deadline):
            heapq.heappush(self._due, (deadline, kind, name))
            if len(self._due) > 64 + 4 * sum(map(len, self._tables.values())):
                self._rebuild_due()
        return before

    def remove(self, kind: str, name: str) -> Entity | None:
        """Take an entity out; returns what was there."""
        before: Entity | None = self._tables[kind].pop(name, None)
        self._reindex(before, None)
        return before

    def note_over(self, call: str) -> None:
        """Remember that a call has ended; beyond `OVER_MAX` the oldest is forgotten."""
        self._over[call] = None
        if len(self._over) > OVER_MAX:
            self._over.popitem(last=False)

    def install(self, setup: Setup) -> None:
        """Put another setup in force and build the orders of agents anew."""
        self.setup = setup
        self._free.clear()
        self._signed_in.clear()
        for agent in self.agents.values():
            self._index_agent(None, agent)

    def _rebuild_due(self) -> None:
        self._due = [(at, *key_of(entity)) for entity in self.entities() if (at := next_deadline(entity)) is not None]
        heapq.heapify(self._due)

    def _reindex(self, before: Entity | None, after: Entity | None) -> None:
        if isinstance(before or after, Call):
            self._index_call(before, after)  # type: ignore[arg-type]  # same kind on both sides
        elif isinstance(before or after, Agent):
            self._index_agent(before, after)  # type: ignore[arg-type]  # same kind on both sides

    def _index_call(self, before: Call | None, after: Call | None) -> None:
        for index, place in ((self._waiting, _place), (self._hungry, _hungry_place)):
            old, new = place(before), place(after)
            if old == new:
                continue
            if old is not None:
                _discard(index[old[0]], old[1])
            if new is not None:
                insort(index.setdefault(new[0], []), new[1])

    def _index_agent(self, before: Agent | None, after: Agent | None) -> None:
        name = (after or before).name  # type: ignore[union-attr]  # one of them is given
        if before is not None and before.leg:
            self.agent_of_leg.pop(before.leg, None)
        if after is not None and after.leg:
            self.agent_of_leg[after.leg] = name
        was_free, now_free = before is not None and is_free(before), after is not None and is_free(after)
        signed = (after is not None and after.status != "offline") - (before is not None and before.status != "offline")
        if not (was_free or now_free or signed):
            return
        order = self.setup.agent_order.get(name, 0)
        for queue, tier in self.setup.tiers_of_agent.get(name, ()):
            self._signed_in[queue] = self._signed_in.get(queue, 0) + signed
            strategy = self.setup.queue[queue].strategy
            old = (_measure(strategy, before), order, name) if was_free and before else None
            new = (_measure(strategy, after), order, name) if now_free and after else None
            if old == new:
                continue
            ranks = self._free.setdefault((queue, tier), [])
            if old is not None:
                _discard(ranks, old)
            if new is not None:
                insort(ranks, new)


def _place(call: Call | None) -> tuple[str, Place] | None:
    if call is None or call.phase is not Phase.WAITING or call.queued_at_ms is None:
        return None
    return call.queue, (call.queued_at_ms, call.id)


def _hungry_place(call: Call | None) -> tuple[str, Place] | None:
    return None if call is None or call.offers else _place(call)


def _discard(ordered: list[_T], item: _T) -> None:
    at = bisect_left(ordered, item)
    if at < len(ordered) and ordered[at] == item:
        del ordered[at]
