"""The hotlines and trunks an outbound call might leave by, in the order they are to be tried.

Each function here yields offers lazily and writes down every hotline it kept or dropped, with the reason; nobody
looks further than the attempts that are needed.
"""

from __future__ import annotations

import hashlib
import heapq
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controller.core import meter, quota
from controller.core.model import AgentUse, CalleeDay, HotlineState, TrunkState, Use
from controller.core.setup import Adaptive, Hotline, Setup, Trunk

LOOKED_AT_MAX = 24
"""Hotlines and trunks written down; a setup with thousands must not make a story nobody can read."""

_UNUSED = Use()


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `agent` is empty for calls the controller makes itself (a forward); `via` empty: agent's default.

    `ported` and `ported_source` are what look-ups outside the core found. `salt` decides what is left to chance: the
    same salt, callee and adaptive number, the same choice. `agent_uses` and `callee_days` are what was used so far,
    `day` is the local date.
    """

    setup: Setup
    agent: str
    dialled: str
    via: str
    ported: str
    ported_source: str
    trunks: Mapping[str, TrunkState]
    hotlines: Mapping[str, HotlineState]
    now_ms: int
    salt: str
    day: str = ""
    agent_uses: Mapping[str, AgentUse] = field(default_factory=dict)
    callee_days: Mapping[str, CalleeDay] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A hotline with a trunk that may send its number now, and why it is in the list."""

    hotline: Hotline
    trunk: Trunk
    why: str


@dataclass(slots=True)
class Notes:
    """What has been found out so far: the steps in words, why hotlines were dropped, what each trunk's meter said.

    `callee`, `compared` and `kind` are the number to be called, as shown, as compared, and what sort it is. `behind`
    counts hotlines of the network that nobody has looked at yet.
    """

    steps: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    trouble: dict[str, str] = field(default_factory=dict)
    looked_at: int = 0
    callee: str = ""
    compared: str = ""
    kind: str = ""
    behind: int = 0

    def say(self, step: str) -> None:
        """Write a step down."""
        self.steps.append(step)

    def look(self, step: str) -> None:
        """Write down what one of many was found to be like."""
        self.looked_at += 1
        if self.looked_at <= LOOKED_AT_MAX:
            self.say(step)
        elif self.looked_at == LOOKED_AT_MAX + 1:
            self.say("more were looked at than are written here")

    def drop(self, hotline: Hotline, reason: str, words: str) -> None:
        """Write down why a hotline cannot be used."""
        self.reasons.append(reason)
        self.dropped.add(hotline.number)
        self.look(f"hotline {hotline.number} dropped: {words}")


def forbidden(question: Question, hotline: Hotline) -> tuple[str, str]:
    """Reason and words why this hotline may not carry a call of this agent, whoever chose it; empty when it may."""
    return barred(question.setup, question.agent, hotline)


def barred(setup: Setup, agent: str, hotline: Hotline) -> tuple[str, str]:
    """The same for any agent (empty: nobody's call)."""
    if hotline.kind == "virtual":
        return "virtual", "it is virtual, and a virtual number never calls out"
    if not hotline.outbound:
        return "not_permitted", "it may not call out"
    allowed = hotline.outbound_groups
    if agent and allowed is not None:
        row = setup.agent.get(agent)
        if row is None or not any(group in allowed for group in row.groups):
            return "not_permitted", f"{agent} is in none of its outbound groups ({', '.join(allowed) or 'none'})"
    return "", ""


def spent(question: Question, hotline: Hotline, notes: Notes) -> str:
    """Why this hotline's limits permit no further call to this callee now, in words; empty when they do."""
    state = question.hotlines.get(hotline.number)
    words = quota.room(state.use if state else _UNUSED, hotline.limits, question.now_ms, question.day)
    most = hotline.limits.calls_per_callee
    if words or not most:
        return words and f"it {words}"
    row = question.callee_days.get(callee_id(hotline.number, notes.callee))
    if row is not None and row.day == question.day and row.calls >= most:
        return f"it has called this number its {most} times of {question.day}"
    return ""


def callee_id(hotline: str, callee: str) -> str:
    """Under which name the calls of one hotline to one number are counted."""
    return f"{hotline}>{callee}"


def excluded(trunk: Trunk, notes: Notes) -> str:
    """Why this trunk is not for such a number, in words; empty when it is."""
    if notes.kind in trunk.excluded_kinds:
        return f"takes no {notes.kind} numbers"
    if trunk.excluded_prefixes and notes.compared.startswith(trunk.excluded_prefixes):
        prefix = next(prefix for prefix in trunk.excluded_prefixes if notes.compared.startswith(prefix))
        return f"takes no numbers that begin with {prefix}"
    return ""


def trunk_trouble(question: Question, name: str, notes: Notes) -> str:
    """Why no call may start on this trunk now; empty when one may. Each trunk is looked at once a decision."""
    if name not in notes.trouble:
        trunk = question.setup.trunk.get(name)
        state = question.trunks.get(name) or TrunkState(name)
        why = "does not exist"
        if trunk is not None:
            why = excluded(trunk, notes) or meter.unusable(state, trunk, question.now_ms, question.day)
        notes.trouble[name] = why and f"trunk {name} {why}"
    return notes.trouble[name]


def by_hotline(question: Question, hotline: Hotline, why: str, notes: Notes) -> Iterator[Candidate]:
    """One hotline: its own trunk, then the carrier's other trunks, which carry the same customer's numbers."""
    reason, words = forbidden(question, hotline)
    if not reason and (words := spent(question, hotline, notes)):
        reason = "over_limit"
    if reason:
        notes.drop(hotline, reason, words)
        return
    trouble = trunk_trouble(question, hotline.trunk, notes)
    if trouble:
        notes.drop(hotline, "no_trunk", trouble)
    else:
        yield Candidate(hotline, question.setup.trunk[hotline.trunk], why)
    yield from spares(question, hotline, notes)


def spares(question: Question, hotline: Hotline, notes: Notes) -> Iterator[Candidate]:
    """The other trunks of a hotline's carrier."""
    own = question.setup.trunk.get(hotline.trunk)
    for trunk in question.setup.trunks_of_carrier.get(own.carrier, ()) if own else ():
        if trunk.name == hotline.trunk:
            continue
        trouble = trunk_trouble(question, trunk.name, notes)
        if trouble:
            notes.reasons.append("no_trunk")
            notes.look(f"{trouble}, so it is no spare for hotline {hotline.number}")
        else:
            yield Candidate(hotline, trunk, f"another trunk of {trunk.carrier}")


def by_adaptive(question: Question, adaptive: Adaptive, carrier: str, notes: Notes) -> Iterator[Candidate]:
    """Hotlines on the callee's network, least recently used first; the designated fallback; then a random one."""
    yield from _on_network(question, carrier, notes)
    fallback = question.setup.hotline.get(adaptive.fallback)
    if fallback:
        yield from by_hotline(question, fallback, "the designated fallback", notes)
    yield from _at_random(question, f"{question.salt}/{notes.callee}/{adaptive.name}", notes)


def _on_network(question: Question, carrier: str, notes: Notes) -> Iterator[Candidate]:
    """Hotlines on the callee's network in the order of their last use, one for each trunk; then the first one's spares.

    Further hotlines on a trunk that is in the list already would not be reached, so they are only counted.
    """
    setup = question.setup
    same = setup.hotlines_of_network.get(setup.network(carrier), ()) if carrier else ()
    if not same:
        notes.say(f"no hotline is on the network of {carrier}" if carrier else "no network to match")
    owner: Hotline | None = None
    waiting: Hotline | None = None
    taken: dict[str, None] = {}
    more = 0
    for n, hotline in enumerate(_by_last_use(question, same), start=1):
        if hotline.trunk in taken:
            more += 1
            continue
        reason = _drop_reason(question, hotline, notes)
        if reason == "no_trunk":
            waiting = waiting or hotline
        if reason:
            continue
        notes.look(f"hotline {hotline.number} kept: trunk {hotline.trunk} is free, {_last_use(question, hotline)}")
        why = "next in turn" if owner else "least recently used"
        owner, notes.behind, taken[hotline.trunk] = owner or hotline, more + len(same) - n, None
        yield Candidate(hotline, setup.trunk[hotline.trunk], f"on the network of {carrier}, {why}")
    notes.behind = more
    for first in filter(None, (owner or waiting,)):
        yield from spares(question, first, notes)


def _by_last_use(question: Question, hotlines: tuple[Hotline, ...]) -> Iterator[Hotline]:
    """Hotlines by their last use, equals as they come; a heap, because few of many are looked at."""
    state_of = question.hotlines.get
    # Written out: a network has a hundred hotlines and more, and a call of a function for each is most of a decision.
    order = [
        (state.used_at_ms if (state := state_of(row.number)) is not None else 0, n) for n, row in enumerate(hotlines)
    ]
    heapq.heapify(order)
    while order:
        yield hotlines[heapq.heappop(order)[1]]


def _at_random(question: Question, salt: str, notes: Notes) -> Iterator[Candidate]:
    """Hotlines in an order left to chance, one for each trunk nobody has thought of yet."""
    setup = question.setup
    for hotline in _shuffled(setup.hotlines, salt):
        # What was looked at before is either in the list already or was dropped with its reason.
        known = hotline.number in notes.dropped or hotline.trunk in notes.trouble
        if not known and not _drop_reason(question, hotline, notes):
            yield Candidate(hotline, setup.trunk[hotline.trunk], "a random usable hotline")


def _drop_reason(question: Question, hotline: Hotline, notes: Notes) -> str:
    """Why an adaptive number may not choose this hotline by itself now; empty when it may."""
    reason, words = forbidden(question, hotline)
    if reason == "virtual":
        reason = "no_hotline"  # nobody asked for this one, so its nature is no answer
    elif not reason and not hotline.number.startswith("+"):
        # Other operators and networks abroad refuse 1800, 1900 and short codes as caller ids.
        reason, words = "not_permitted", "a service number is shown to callees only where someone asks for it"
    elif not reason and (words := spent(question, hotline, notes)):
        reason = "over_limit"
    elif not reason and (trouble := trunk_trouble(question, hotline.trunk, notes)):
        reason, words = "no_trunk", trouble
    if reason:
        notes.drop(hotline, reason, words)
    return reason


def _used_at_ms(question: Question, hotline: Hotline) -> int:
    state = question.hotlines.get(hotline.number)
    return state.used_at_ms if state else 0


def _last_use(question: Question, hotline: Hotline) -> str:
    used_at_ms = _used_at_ms(question, hotline)
    return f"last used {(question.now_ms - used_at_ms) // 1000} s ago" if used_at_ms else "never used"


def _shuffled(hotlines: tuple[Hotline, ...], salt: str) -> Iterator[Hotline]:
    """Hotlines in an order the salt decides, each as likely to come next as any other (a shuffle of Fisher and Yates).

    Where few of thousands may be used, the few must share the calls evenly, or one of them is called a nuisance.
    """
    moved: dict[int, int] = {}
    for n, throw in zip(range(len(hotlines)), _throws(salt), strict=False):
        at = n + throw % (len(hotlines) - n)
        yield hotlines[moved.get(at, at)]
        moved[at] = moved.get(n, n)


def _throws(salt: str) -> Iterator[int]:
    """Numbers that look like chance and are decided by the salt, without end."""
    dice = salt.encode(errors="replace")
    while True:
        dice = hashlib.blake2b(dice).digest()
        yield from struct.unpack("!16I", dice)


def for_emergency(question: Question, notes: Notes) -> Iterator[Candidate]:
    """Any trunk that is switched on, whatever its meter says, with a number of ours that belongs to it.

    Those that could carry any call go first: only the first few are tried.
    """
    notes.say("an emergency number: every permission and cap is passed over")
    hotline_of: dict[str, Hotline] = {}
    for hotline in question.setup.hotlines:
        if hotline.kind != "virtual":
            hotline_of.setdefault(hotline.trunk, hotline)
    for trunk in sorted(question.setup.trunks, key=lambda row: bool(trunk_trouble(question, row.name, notes))):
        if trunk.enabled and trunk.name in hotline_of:
            yield Candidate(hotline_of[trunk.name], trunk, "an emergency call takes any trunk")
