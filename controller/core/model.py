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
    """One trunk an outbound call may leave by, in order, and why it is in the list.

    `caller_id` is written as the trunk wants it, `hotline` is whose number it is; with `privacy` the callee is not
    to see it.
    """

    trunk: str
    endpoint: str
    number: str
    caller_id: str
    hotline: str
    why: str
    privacy: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call, inbound or outbound, from its first event until its channel is gone.

    `position` in a queue is the order of (`queued_at_ms`, `id`). `wrap_up_s`, `answer_limit_s` and `talk_limit_s` are
    the limits the call began with; a later change of the setup does not touch them. `held_by` are the sides of a talk
    (`caller`, `agent`, `callee`) whose phone has put the other on hold. `served_by` is the agent who transferred the
    caller on. `consult` is the leg of a phone the agent asks while the caller hears music, `parties_at_ms` when who is
    in the talk last changed: an older snapshot knows less.
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
    consult: str = ""
    consulted_at_ms: int | None = None
    parties_at_ms: int | None = None
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
    attempt_at_ms: int | None = None
    # end
    result: str = ""
    end_cause: str = ""
    reason: str = ""
    ending_until_ms: int | None = None
    talk_ends_at_ms: int | None = None
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
    `unanswered`: offers in a row, of whatever queue, that rang out.
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
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """What was used of calling out: calls up, those of them that talk and since when, starts of the last minute, and
    the calls and the talk of one local day. Times of a call that began before an older program wrote it are unknown.
    """

    live: tuple[str, ...] = ()
    talks: tuple[tuple[str, int], ...] = ()
    starts_ms: tuple[int, ...] = ()
    day: str = ""
    calls: int = 0
    talked_ms: int = 0


@dataclass(frozen=True, slots=True)
class TrunkState:
    """Meter of one trunk: calls up on it, starts within the last second, and its cool-down after its own failures.

    `pauses` are the cool-downs since it last carried a call: while there are any, one call at a time (`probe`) may.
    `reachable` is what Asterisk knows by asking the carrier (SIP OPTIONS); true where it does not ask. `use` counts
    the day's minutes of a trunk that has a cap on them; `runs_out_ms` is when the talks under way will have used them.
    """

    name: str
    live: tuple[str, ...] = ()
    starts_ms: tuple[int, ...] = ()
    failures: int = 0
    cooling_until_ms: int | None = None
    reachable: bool = True
    use: Use = Use()
    runs_out_ms: int | None = None
    pauses: int = 0
    probe: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """What attempts by one trunk came to within a few minutes. `codes` are how they ended, with their number."""

    began_ms: int
    tries: int = 0
    answered: int = 0
    failed: int = 0
    delays: int = 0
    delay_sum_ms: int = 0
    codes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TrunkWindow:
    """The last hour of one trunk, in slots."""

    name: str
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class HotlineState:
    """When a hotline last carried an outbound call: the least recently used of equals goes first; and its use."""

    number: str
    used_at_ms: int = 0
    use: Use = Use()
    runs_out_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AgentUse:
    """What one agent has used of calling out, and what looked like somebody else at the agent's phone.

    `odd_ms` are the times of the latest suspicious wishes, `alert` is the open warning about them, `calm_at_ms` when
    it will be taken back. `runs_out_ms` is when the talks under way will have used the day's minutes.
    """

    agent: str
    use: Use = Use()
    odd_ms: tuple[int, ...] = ()
    alert: str = ""
    calm_at_ms: int | None = None
    runs_out_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CalleeDay:
    """How often one hotline has called one number on a local day. `id` is `<hotline>><callee>`; kept until the day is
    over.
    """

    id: str
    day: str
    calls: int
    until_ms: int


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


Entity = Call | Agent | TrunkState | TrunkWindow | HotlineState | AgentUse | CalleeDay | Alert | QueueDay | Pbx
"""Everything a step may replace and the ledger may keep as a live row."""


_KEYS: dict[type, tuple[str, str]] = {
    Call: ("call", "id"),
    Agent: ("agent", "name"),
    TrunkState: ("trunk", "name"),
    TrunkWindow: ("trunk_window", "name"),
    HotlineState: ("hotline", "number"),
    AgentUse: ("agent_use", "agent"),
    CalleeDay: ("callee_day", "id"),
    Alert: ("alert", "id"),
    QueueDay: ("queue_day", "queue"),
    Pbx: ("pbx", "name"),
}


def key_of(entity: Entity) -> tuple[str, str]:
    """The (kind, id) of a live row: unique over all entities."""
    kind, field = _KEYS[type(entity)]
    name: str = getattr(entity, field)
    return kind, name


@dataclass(frozen=True, slots=True)
class Change:
    """One live row replaced (`after`), created (`before` None) or removed (`after` None)."""

    kind: str
    id: str
    after: Entity | None
