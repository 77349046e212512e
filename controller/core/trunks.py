"""Which trunk and caller id an outbound call leaves by, and why (docs/decisions.md 1 to 4, 7, 8 and 15 to 19).

`decide` reads the setup and the meters and changes neither, so that asking beforehand and dialling give the same
answer. The meters of the trunks stand in `controller.core.meter` and are handed on from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controller.core import callerid, candidates, hours, quota, reach
from controller.core.candidates import Candidate, Notes, Question
from controller.core.meter import admit, failed, release, succeeded, unusable
from controller.core.model import Attempt, Use
from controller.core.numbers import Kind, Number, blocked_by, carrier_of, comparable, normalise
from controller.core.setup import Hotline, Setup

__all__ = [
    "Decision",
    "Question",
    "admit",
    "decide",
    "failed",
    "find_hotline",
    "release",
    "succeeded",
    "unusable",
]

ATTEMPTS_MAX = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """What is answered. `attempts` are to be tried in order; `reason` is a word when nothing is allowed.

    Reasons: not_agent, not_understood, blocked, number_kind, country, outside_hours, over_limit, no_hotline, virtual,
    not_permitted, no_trunk. `via` is the hotline or adaptive number asked for, `hotline` the one the first attempt
    shows, `record` whether the call is recorded.
    """

    allowed: bool
    reason: str
    to: str
    carrier: str = ""
    carrier_source: str = "unknown"
    via: str = ""
    hotline: str = ""
    attempts: tuple[Attempt, ...] = ()
    steps: tuple[str, ...] = ()
    record: bool = False


def decide(question: Question) -> Decision:
    """Answer the question; never raises, never changes anything."""
    notes = Notes()
    number = _read(question)
    emergency = number.dial in question.setup.defaults.emergency
    refusal = _screen(question, number, notes) or ("" if emergency else _limited(question, number, notes))
    if refusal:
        return Decision(False, refusal, number.shown, steps=tuple(notes.steps))
    if emergency:
        found = candidates.for_emergency(question, notes)
        return _answer(question, number, ("", "unknown"), "", False, found, notes)
    carrier = carrier_of(number, question.setup, question.ported, question.ported_source)
    notes.say(_known_by(question.setup, *carrier))
    via, record, found = _by_way(question, carrier[0], notes)
    return _answer(question, number, carrier, via, record, found, notes)


def find_hotline(setup: Setup, text: str) -> Hotline | None:
    """The hotline a person means, in whatever way its number is written."""
    return setup.hotline.get(text) or setup.hotline.get(normalise(text, setup.defaults.country).shown)


def _read(question: Question) -> Number:
    """The number dialled; an emergency number may have two digits, which no other number has."""
    dialled, defaults = question.dialled, question.setup.defaults
    if dialled in defaults.emergency:
        return Number("", dialled, Kind.SHORT, dialled)
    return normalise(dialled, defaults.country)


def _screen(question: Question, number: Number, notes: Notes) -> str:
    """Refuse what no hotline and no trunk could help."""
    setup = question.setup
    if question.agent and question.agent not in setup.agent:
        notes.say("asked by somebody who is no agent of ours")
        return "not_agent"
    if not number.dial:
        notes.say(f"dialled {question.dialled[:32]!r}, which is no phone number")
        return "not_understood"
    reads = f"reads as {number.shown} ({number.kind})" if number.kind is not Kind.UNKNOWN else "is not understood"
    notes.say(f"dialled {question.dialled!r} {reads}{_more(number)}")
    if number.dial in setup.defaults.emergency:
        return ""
    colleague = setup.agent_of_extension.get(number.dial)
    if colleague:
        notes.say(
            f"{number.dial} is the extension of {colleague}: the dialplan rings that phone, and no trunk leads there"
        )
        return "not_understood"
    row = blocked_by(setup, number.shown, "outbound", question.now_ms)
    if row:
        notes.say(f"blocked for outbound calls by the {'prefix' if row.prefix else 'number'} {row.number}")
        return "blocked"
    return ""


def _more(number: Number) -> str:
    """What else is known of a number, in words."""
    area = f", in {number.area}" if number.area else ""
    return area + (f"; the extension {number.extension} is kept apart" if number.extension else "")


def _limited(question: Question, number: Number, notes: Notes) -> str:
    """Refuse what this agent may not call, not now, or no more today; nobody's calls have the reach of the defaults."""
    setup, agent = question.setup, question.setup.agent.get(question.agent)
    may = agent.reach if agent and agent.reach else setup.defaults.reach
    notes.callee, notes.compared = number.shown, comparable(number, setup.defaults.country)
    notes.kind, _ = reach.kind_and_country(number, setup.defaults.country)
    reason, words = reach.refusal(may, number, setup.defaults.country)
    if reason:
        notes.say(f"{number.shown} is not open: {words}")
        return reason
    schedule = setup.schedule.get(may.hours) if agent else None
    if schedule is not None and not hours.is_open(schedule, question.now_ms):
        notes.say(f"{question.agent} may call out in the hours of {may.hours} only")
        return "outside_hours"
    if agent is None:
        return ""
    used = question.agent_uses.get(agent.name)
    words = quota.room(used.use if used else Use(), agent.limits, question.now_ms, question.day)
    if words:
        notes.say(f"{agent.name} {words}")
        return "over_limit"
    return ""


def _known_by(setup: Setup, carrier: str, source: str) -> str:
    """How we know the operator, in words."""
    if not carrier:
        return "operator unknown"
    table = setup.carriers_from
    if source != "prefix" or not table.version:
        return f"operator {carrier}, known by {source}"
    whose = "the shipped table" if table.origin == "shipped" else f"the table {table.origin}"
    return f"operator {carrier}, known by prefix of {whose} {table.version}"


def _by_way(question: Question, carrier: str, notes: Notes) -> tuple[str, bool, Iterator[Candidate]]:
    """What was asked to call by: its name, whether it records, and the candidates it leads to."""
    setup = question.setup
    via = question.via or (setup.agent[question.agent].outbound_with if question.agent else "")
    adaptive = setup.adaptive.get(via)
    if adaptive:
        notes.say(f"asked for the adaptive number {via}")
        if adaptive.outbound:
            return via, adaptive.record_outbound, candidates.by_adaptive(question, adaptive, carrier, notes)
        notes.reasons.append("not_permitted")
        notes.say(f"the adaptive number {via} may not call out")
        return via, False, iter(())
    hotline = find_hotline(setup, via) if via else None
    if hotline:
        notes.say(f"asked for the hotline {hotline.number}")
        found = candidates.by_hotline(question, hotline, "the hotline asked for", notes)
        return hotline.number, hotline.record_outbound, found
    if question.agent and not via:
        notes.reasons.append("not_permitted")
        notes.say(f"{question.agent} has no number to call out with, and named none")
    else:
        notes.say("asked for a hotline or adaptive number that does not exist" if via else "no hotline was named")
    return via, False, iter(())


def _answer(
    question: Question,
    number: Number,
    carrier: tuple[str, str],
    via: str,
    record: bool,
    found: Iterator[Candidate],
    notes: Notes,
) -> Decision:
    attempts = _attempts(question.setup, number, found, notes)
    reason = "" if attempts else _refusal(notes)
    if reason:
        notes.say(f"refused: {reason}")
    hotline = attempts[0].hotline if attempts else ""
    steps = tuple(notes.steps)
    return Decision(bool(attempts), reason, number.shown, *carrier, via, hotline, attempts, steps, record)


def _attempts(setup: Setup, number: Number, found: Iterator[Candidate], notes: Notes) -> tuple[Attempt, ...]:
    """The first candidates with different trunks: a trunk that failed is not asked again for the same call."""
    attempts: dict[str, Attempt] = {}
    for candidate in found:
        hotline, trunk = candidate.hotline.number, candidate.trunk
        if trunk.name in attempts:
            continue
        shown = callerid.shown(hotline, trunk, setup.defaults.country)
        # Whoever answers an emergency call must be able to call back.
        private = trunk.privacy and number.dial not in setup.defaults.emergency
        attempts[trunk.name] = Attempt(trunk.name, trunk.endpoint, number.dial, shown, hotline, candidate.why, private)
        hidden = " (not to be shown)" if private else ""
        notes.say(
            f"attempt {len(attempts)}: trunk {trunk.name}, {number.dial}, caller id {shown}{hidden}: {candidate.why}"
        )
        if len(attempts) == ATTEMPTS_MAX:
            break
    if notes.behind:
        notes.say(f"{notes.behind} more hotlines on this network are behind these and were not needed")
    return tuple(attempts.values())


def _refusal(notes: Notes) -> str:
    """The word for why no attempt is left: what came closest to carrying the call."""
    for reason in ("over_limit", "no_trunk", "not_permitted", "virtual"):
        if reason in notes.reasons:
            return reason
    return "no_hotline"
