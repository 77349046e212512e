"""What is alive: calls, agents, trunk meters, alerts and the day's figures of each queue.

Entities are frozen and replaced, never changed; every deadline is a field in epoch milliseconds; every one of them
can be written to the ledger as it stands and read back equal (`core.codec`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from controller.core.setup import Way


class Phase(StrEnum):
    """Where a call stands. `ENDING`: hang-up asked, channel not yet gone. `CALLING` (the agent's own phone
    rings: click to call), `DIALING` and `CONNECTED` are outbound.
    """

    MENU = "menu"
    WAITING = "waiting"
    TALKING = "talking"
    ANNOUNCING = "announcing"
    FORWARDING = "forwarding"
    VOICEMAIL = "voicemail"
    CALLING = "calling"
    DIALING = "dialing"
    CONNECTED = "connected"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class Offer:
    """A reservation of one agent for one call, with an end. `ringing` once the phone was heard to ring."""

    agent: str
    leg: str
    offered_at_ms: int
    until_ms: int
    ringing: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One trunk an outbound call may leave by, in order, and why it is in the list."""

    trunk: str
    endpoint: str
    number: str
    caller_id: str
    hotline: str
    why: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call, inbound or outbound, from its first event until its channel is gone.

    `position` in a queue is the order of (`queued_at_ms`, `id`). `wrap_up_s`, `answer_limit_s` and `talk_limit_s` are
    the limits the call began with; a later change of the setup does not touch them. `held_by` are the sides of a talk
    (`caller`, `agent`, `callee`) whose phone has put the other on hold. `served_by` is the agent who transferred the
    caller on.
    """

    id: str
    direction: str
    phase: Phase
    hotline: str
    caller: str
    caller_name: str
    callee: str
    arrived_at_ms: int
    channel_up: bool = False
    # menu
    menu: str = ""
    loop: int = 0
    wrong: int = 0
    hops: int = 0
    prompt: str = ""
    prompt_until_ms: int | None = None
    key_until_ms: int | None = None
    then: Way | None = None
    # queue
    queue: str = ""
    queued_at_ms: int | None = None
    max_wait_at_ms: int | None = None
    tried: tuple[str, ...] = ()
    retry_at_ms: int | None = None
    offers: tuple[Offer, ...] = ()
    offer_count: int = 0
    hops_queue: int = 0
    # talk
    agent: str = ""
    served_by: str = ""
    leg: str = ""
    answered_at_ms: int | None = None
    talk_ended_at_ms: int | None = None
    recording: str = ""
    held_by: tuple[str, ...] = ()
    wrap_up_s: int = 0
    # alerts
    answer_limit_s: int | None = None
    talk_limit_s: int | None = None
    answer_alert_at_ms: int | None = None
    talk_alert_at_ms: int | None = None
    # outbound and forwarding
    via: str = ""
    trunk: str = ""
    carrier: str = ""
    caller_id: str = ""
    record_wanted: bool = False
    attempts: tuple[Attempt, ...] = ()
    attempt: int = 0
    # end
    result: str = ""
    end_cause: str = ""
    reason: str = ""
    ending_until_ms: int | None = None
    # counters for names
    legs: int = 0
    plays: int = 0


class AgentPhase(StrEnum):
    """What an agent's one pair of hands is doing for us. `RELEASING`: a leg we gave up is not gone yet.

    `DIALING` and `CONNECTED` are an outbound call of the agent's own, before and after the callee answers.
    """

    IDLE = "idle"
    OFFERED = "offered"
    TALKING = "talking"
    RELEASING = "releasing"
    DIALING = "dialing"
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: the wish (status, kept across restarts), what we do with them, and the truth about their phone.

    `wrap_up_until_ms` is the stored instant a rest ends. `foreign` are channels on the phone that are not ours.
    `unreachable_until_ms`: the phone failed an offer; set aside until a sign of life or this instant.
    `phone_at_ms`: when the phone last told us something; an older snapshot knows less.
    """

    name: str
    status: str = "offline"
    reason: str = ""
    phase: AgentPhase = AgentPhase.IDLE
    call: str = ""
    leg: str = ""
    releasing_until_ms: int | None = None
    wrap_up_started_ms: int | None = None
    wrap_up_until_ms: int | None = None
    reachable: bool = False
    unreachable_until_ms: int | None = None
    foreign: tuple[str, ...] = ()
    phone_at_ms: int = 0
    state: str = "offline"
    since_ms: int = 0
    idle_since_ms: int = 0
    last_offered_ms: int = 0
    answered_today: int = 0
    day: str = ""


@dataclass(frozen=True, slots=True)
class TrunkState:
    """Meter of one trunk: calls up on it, starts within the last second, and its cool-down after its own failures."""

    name: str
    live: tuple[str, ...] = ()
    starts_ms: tuple[int, ...] = ()
    failures: int = 0
    cooling_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class HotlineState:
    """When a hotline last carried an outbound call: the least recently used of equals goes first."""

    number: str
    used_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """A warning: raised once per (call, kind), cleared once. `id` is `<call>.<kind>`."""

    id: str
    kind: str
    call: str
    hotline: str
    queue: str
    agent: str
    limit_s: int
    raised_at_ms: int
    cleared_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class QueueDay:
    """The figures of one queue on one local day."""

    queue: str
    day: str
    queued: int = 0
    offered: int = 0
    answered: int = 0
    missed: int = 0
    answered_in_sla: int = 0
    wait_sum_ms: int = 0


@dataclass(frozen=True, slots=True)
class Pbx:
    """The life of Asterisk we last saw (`boot`): another value in a snapshot means it was restarted."""

    name: str = "asterisk"
    boot: str = ""


Entity = Call | Agent | TrunkState | HotlineState | Alert | QueueDay | Pbx
"""Everything a step may replace and the ledger may keep as a live row."""


def key_of(entity: Entity) -> tuple[str, str]:
    """The (kind, id) of a live row: unique over all entities."""
    match entity:
        case Call():
            return "call", entity.id
        case Agent():
            return "agent", entity.name
        case TrunkState():
            return "trunk", entity.name
        case HotlineState():
            return "hotline", entity.number
        case Alert():
            return "alert", entity.id
        case QueueDay():
            return "queue_day", entity.queue
        case Pbx():
            return "pbx", entity.name


@dataclass(frozen=True, slots=True)
class Change:
    """One live row replaced (`after`), created (`before` None) or removed (`after` None)."""

    kind: str
    id: str
    after: Entity | None
