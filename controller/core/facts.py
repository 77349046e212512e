"""What we will have said happened. Facts feed the history, the event stream, the metrics and the story of a call."""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.model import Attempt


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call exists: inbound at its hotline, or outbound from an agent."""

    call: str
    direction: str
    hotline: str
    caller: str
    callee: str
    agent: str


@dataclass(frozen=True, slots=True)
class MenuEntered:
    """The caller hears this menu."""

    call: str
    menu: str
    loop: int


@dataclass(frozen=True, slots=True)
class MenuChosen:
    """What the menu made of a key (empty: no key in time) and where the caller goes."""

    call: str
    menu: str
    key: str
    way: str


@dataclass(frozen=True, slots=True)
class CallQueued:
    """The caller waits in a queue."""

    call: str
    queue: str
    position: int


@dataclass(frozen=True, slots=True)
class CallOffered:
    """An agent is reserved and rung for a call."""

    call: str
    queue: str
    agent: str
    leg: str
    why: str


@dataclass(frozen=True, slots=True)
class OfferEnded:
    """An offer came to nothing: declined, busy, no_answer, unreachable, cancelled (why: see `reason`) or lost."""

    call: str
    queue: str
    agent: str
    leg: str
    outcome: str
    rang_ms: int


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """Caller and agent (or outside phone: `agent` empty) talk."""

    call: str
    hotline: str
    queue: str
    agent: str
    waited_ms: int


@dataclass(frozen=True, slots=True)
class CallHeld:
    """One side of a talk (`by`: caller, agent, callee) put the other on hold; the other hears music."""

    call: str
    by: str


@dataclass(frozen=True, slots=True)
class CallResumed:
    """The side that held the talk (`by`) is back."""

    call: str
    by: str


@dataclass(frozen=True, slots=True)
class CallTransferred:
    """An agent's caller was sent on to an outside phone; the agent's part is over."""

    call: str
    agent: str
    callee: str


@dataclass(frozen=True, slots=True)
class TransferAnswered:
    """The outside phone a caller was transferred to was picked up."""

    call: str
    callee: str


@dataclass(frozen=True, slots=True)
class ConsultStarted:
    """An agent asks an outside phone before transferring the caller, who hears music."""

    call: str
    agent: str
    callee: str


@dataclass(frozen=True, slots=True)
class ConsultAnswered:
    """The consulted phone was picked up: agent and phone talk."""

    call: str
    agent: str
    callee: str


@dataclass(frozen=True, slots=True)
class ConsultEnded:
    """A consultation is over: `completed` (the caller gets the phone), `cancelled`, `callee` (the phone hung up),
    `busy`, `declined`, `no_answer`, `unreachable`, `no_trunk`, `limit`, `lost`, or `gone` (the call ended with it).
    """

    call: str
    agent: str
    callee: str
    outcome: str


@dataclass(frozen=True, slots=True)
class CallRouted:
    """The call was sent another way: overflow, closed, forward, voicemail, announcement; `why` names the rule."""

    call: str
    way: str
    why: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over: the one record of it. Times are epoch ms, None where the call never got there."""

    call: str
    direction: str
    hotline: str
    caller: str
    callee: str
    queue: str
    agent: str
    arrived_at_ms: int
    queued_at_ms: int | None
    answered_at_ms: int | None
    ended_at_ms: int
    result: str
    end_cause: str
    reason: str
    via: str
    trunk: str
    carrier: str
    caller_id: str
    recording: str
    offers: int


@dataclass(frozen=True, slots=True)
class AgentChanged:
    """An agent's visible state changed."""

    agent: str
    status: str
    reason: str
    state: str
    call: str
    wrap_up_until_ms: int | None
    by: str


@dataclass(frozen=True, slots=True)
class AlertRaised:
    """A limit was passed."""

    alert: str
    kind: str
    call: str
    hotline: str
    queue: str
    agent: str
    limit_s: int


@dataclass(frozen=True, slots=True)
class AlertCleared:
    """The cause of an alert ended."""

    alert: str
    kind: str
    call: str


@dataclass(frozen=True, slots=True)
class OutboundPicked:
    """The decision on an outbound call: the attempts in order and every step that led to them."""

    call: str
    agent: str
    to: str
    carrier: str
    carrier_source: str
    attempts: tuple[Attempt, ...]
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutboundBlocked:
    """An outbound call was refused, with the word announced and the steps that led there."""

    call: str
    agent: str
    to: str
    reason: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrunkFailed:
    """An attempt by a trunk failed for the trunk's own reasons; `cooling_until_ms` when it is set aside."""

    call: str
    trunk: str
    status: str
    cause: int
    cooling_until_ms: int | None


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """What an attempt by a trunk returned: `status` of Dial, Q.850 `cause`, the carrier's SIP answer and the time to
    the first sign of the far phone (0: not known), and how long it took until it was answered or over.
    """

    call: str
    trunk: str
    hotline: str
    status: str
    cause: int
    sip: int
    delay_ms: int
    took_ms: int


@dataclass(frozen=True, slots=True)
class TrunkChanged:
    """A trunk can be used again, or no longer: `state` is `up`, `cooling` (after failures) or `unreachable`."""

    trunk: str
    state: str


@dataclass(frozen=True, slots=True)
class FraudSuspected:
    """What an agent's phone asks for looks like somebody else; `why` is for a person."""

    call: str
    agent: str
    why: str


@dataclass(frozen=True, slots=True)
class SetupApplied:
    """A version of the setup came into force."""

    version: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a snapshot of Asterisk made us mend."""

    calls_ended: int
    calls_adopted: int
    orphans: int
    pbx_restarted: bool


@dataclass(frozen=True, slots=True)
class OddEvent:
    """Something that was not foreseen; the world did not change because of it."""

    call: str
    event: str
    why: str


Fact = (
    CallStarted
    | MenuEntered
    | MenuChosen
    | CallQueued
    | CallOffered
    | OfferEnded
    | CallAnswered
    | CallHeld
    | CallResumed
    | CallTransferred
    | TransferAnswered
    | ConsultStarted
    | ConsultAnswered
    | ConsultEnded
    | CallRouted
    | CallEnded
    | AgentChanged
    | AlertRaised
    | AlertCleared
    | OutboundPicked
    | OutboundBlocked
    | TrunkFailed
    | AttemptEnded
    | TrunkChanged
    | FraudSuspected
    | SetupApplied
    | Reconciled
    | OddEvent
)
"""Everything we may say happened."""
