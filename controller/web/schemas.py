"""Shapes of everything the API takes and gives: the contract written out at /openapi.json.

Times are ISO 8601 in UTC with milliseconds. A value that is not known, or not yet, is null and never an empty text.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

REASON_MAX = 64
PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""No control characters: PostgreSQL does not take a NUL, and nobody's name has the others."""
WRAP_UP_STEP_MAX_S = 86_400

Instant = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-22T03:04:05.678Z"], max_length=32)
]
Direction = Literal["inbound", "outbound"]
CallState = Literal["menu", "waiting", "ringing", "talking", "ended"]
Result = Literal["answered", "missed", "stopped_at_menu", "blocked", "closed", "voicemail", "refused", "failed"]
Status = Literal["available", "not_ready", "offline"]
Side = Literal["caller", "agent", "callee"]
AgentState = Literal["ready", "offered", "talking", "busy", "wrap_up", "unreachable", "not_ready", "offline"]


class Given(BaseModel):
    """What a client sends: unknown keys are refused, texts are not turned into numbers."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Told(BaseModel):
    """What we answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fault(Told):
    """One mistake in a request: where and why."""

    path: str
    reason: str


class ProblemDocument(BaseModel):
    """RFC 9457. `errors` stands in 422 answers, `version` in 409 answers about the setup."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Fault] | None = None


class CallOut(Told):
    """One call, live or ended. `position` is 1 at the head of the queue, kept while an agent is rung, else null.

    `agent` is who talks, or who is rung when it is one agent alone; `ringing` lists everybody being rung; `held_by`
    says whose phone has put the other side on hold. `consulting` is how far the phone is that the agent asks
    (its number is `callee`) while the caller hears music.
    """

    id: str
    direction: Direction
    hotline: str | None
    caller: str | None
    caller_name: str | None
    callee: str | None
    state: CallState
    queue: str | None
    agent: str | None
    ringing: list[str]
    held_by: list[Side]
    consulting: Literal["ringing", "talking"] | None
    position: int | None
    arrived_at: Instant
    queued_at: Instant | None
    answered_at: Instant | None
    ended_at: Instant | None
    result: Result | None
    end_cause: str | None
    reason: str | None
    via: str | None
    trunk: str | None
    carrier: str | None
    caller_id: str | None
    recording: str | None
    offers: int


class CallPage(Told):
    """Calls, newest first. `next` goes into `cursor` to read on; null at the end."""

    items: list[CallOut]
    next: str | None


class StoryLine(Told):
    """One line of a story. `kind` is event, fact or command, `cause` the event that led to it."""

    at: Instant
    offset_ms: int
    kind: str
    name: str
    cause: str | None
    body: dict[str, object]


class Story(Told):
    """Everything that happened to one call, oldest first."""

    call: str
    items: list[StoryLine]
    next: None = None


class HangupOut(Told):
    """The hang-up was ordered; the call has ended when its state says so."""

    call: str
    ordered: Literal[True] = True


class TransferIn(Given):
    """Send the caller on to the outside phone `to` by `hotline` (left out: the hotline the caller dialled)."""

    to: Annotated[str, Field(min_length=1, max_length=64, pattern=PRINTABLE)]
    hotline: Annotated[str, Field(max_length=64, pattern=PRINTABLE)] = ""


class TransferOut(Told):
    """The caller is on the way to the outside phone; watch the call."""

    call: str


class ConsultIn(Given):
    """`begin`: ring the outside phone `to` by `hotline` (left out: the hotline the caller dialled) for the agent, while
    the caller hears music. `complete`: the caller gets that phone. `cancel`: agent and caller talk again.
    """

    action: Literal["begin", "complete", "cancel"]
    to: Annotated[str, Field(max_length=64, pattern=PRINTABLE)] = ""
    hotline: Annotated[str, Field(max_length=64, pattern=PRINTABLE)] = ""


class ConsultOut(Told):
    """It is done as far as we are concerned; watch the call."""

    call: str
    action: Literal["begin", "complete", "cancel"]


class ClickIn(Given):
    """Ring `agent`, then dial `to` by `hotline` (a number or an adaptive name; left out: the agent's own)."""

    agent: Annotated[str, Field(min_length=1, max_length=64, pattern=PRINTABLE)]
    to: Annotated[str, Field(min_length=1, max_length=64, pattern=PRINTABLE)]
    hotline: Annotated[str, Field(max_length=64, pattern=PRINTABLE)] = ""


class ClickOut(Told):
    """The agent's phone is being rung; watch the call by its id."""

    call: str


class AgentOut(Told):
    """One agent. `status` is what was asked for, `state` what is true now, `since` when that began."""

    name: str
    groups: list[str]
    extension: str | None
    status: Status
    reason: str | None
    state: AgentState
    call: str | None
    since: Instant | None
    wrap_up_until: Instant | None
    reachable: bool


class AgentPage(Told):
    """Agents in the order of the setup."""

    items: list[AgentOut]
    next: str | None


NoReason = Literal[""] | None
"""Where a status wants no reason, an empty one is no mistake: a form sends what it has."""


class Available(Given):
    """Ready for calls as soon as the phone is reachable too."""

    status: Literal["available"]
    reason: NoReason = None


class NotReady(Given):
    """Signed in, but no calls for now; `reason` is a word for the wallboard."""

    status: Literal["not_ready"]
    reason: str | None = Field(default=None, max_length=REASON_MAX, pattern=PRINTABLE)


class Offline(Given):
    """Signed out."""

    status: Literal["offline"]
    reason: NoReason = None


StatusIn = Annotated[Available | NotReady | Offline, Field(discriminator="status")]


class EndWrapUp(Given):
    """End the rest now."""

    action: Literal["end"]


class ExtendWrapUp(Given):
    """Rest longer by so many seconds; the whole rest is limited by the setup."""

    action: Literal["extend"]
    seconds: int = Field(ge=1, le=WRAP_UP_STEP_MAX_S)


WrapUpIn = Annotated[EndWrapUp | ExtendWrapUp, Field(discriminator="action")]


class QueueOut(Told):
    """One queue now, and its figures since local midnight.

    `ringing` counts calls whose agent is being rung, `waiting` calls nobody is rung for; `sla_percent` is the share of
    queued calls answered within the target's seconds, null without a target or without calls.
    """

    name: str
    online: int
    free: int
    ringing: int
    talking: int
    waiting: int
    longest_wait_s: int
    queued: int
    offered: int
    answered: int
    missed: int
    sla_percent: float | None
    sla_target_percent: int | None
    average_speed_of_answer_s: float | None


class QueuePage(Told):
    """Queues in the order of the setup."""

    items: list[QueueOut]
    next: str | None


class AlertOut(Told):
    """A limit that was passed; open while `cleared_at` is null."""

    id: str
    kind: str
    call: str
    hotline: str | None
    queue: str | None
    agent: str | None
    limit_s: int
    raised_at: Instant
    cleared_at: Instant | None


class AlertPage(Told):
    """Alerts, newest first."""

    items: list[AlertOut]
    next: str | None


class CodeCount(Told):
    """How attempts ended: `sip 503`, or how Asterisk says it where no answer came (`noanswer`, `cancel`)."""

    code: str
    count: int


class Worked(Told):
    """What attempts of the last hour came to. `failed` are failures of the trunk itself; ratios are null without any.

    The answer-seizure ratio is answered attempts over all, the post-dial delay the mean time to the first sign of the
    far phone where the dial path measured it.
    """

    attempts: int
    answered: int
    failed: int
    answer_seizure_percent: float | None
    post_dial_delay_ms: int | None
    codes: list[CodeCount]


class TrunkOut(Told):
    """One trunk. `reachable` is false when it does not answer OPTIONS, `cooling_until` when it is left out."""

    name: str
    carrier: str | None
    enabled: bool
    usable: bool
    why_not: str | None
    reachable: bool
    cooling_until: Instant | None
    failures_in_a_row: int
    calls: int
    max_channels: int | None
    max_cps: int | None
    worked: Worked


class CarrierWorked(Told):
    """All trunks of one carrier together."""

    name: str
    worked: Worked


class TrunkPage(Told):
    """Trunks in the order of the setup, and every carrier that has one."""

    items: list[TrunkOut]
    carriers: list[CarrierWorked]
    next: str | None


class AttemptOut(Told):
    """One trunk the call would try, in order."""

    trunk: str
    caller_id: str
    hotline: str
    why: str


class Explanation(Told):
    """Where a call to `to` would leave, and every step of the decision; nothing is dialled."""

    allowed: bool
    reason: str | None
    to: str
    carrier: str | None
    carrier_source: str
    attempts: list[AttemptOut]
    steps: list[str]


class CarrierOut(Told):
    """An operator of the table in force; `network` is the word of the operators that count as one with it."""

    name: str
    aliases: list[str]
    prefixes: list[str]
    network: str


class ListOut(Told):
    """A list of ported numbers that was imported, and how many rows of it count now."""

    name: str
    imported_at: Instant
    rows: int


class PortedOut(Told):
    """The table of ported numbers; until every block is in memory a call fetches the one it needs."""

    rows: int
    made_at: Instant | None
    lists: list[ListOut]
    blocks: int
    blocks_in_memory: int
    bytes: int
    trouble: str | None


class LookupOut(Told):
    """The look-up service; open: it failed too often and is left alone for a while."""

    state: Literal["closed", "open", "half_open"]
    remembered: int
    asking: int
    trouble: str | None


class CarriersOut(Told):
    """Which table of carriers is in force and where it comes from, and what else knows whose subscriber a number is."""

    origin: str | None
    version: str | None
    sources: list[str]
    trouble: str | None
    carriers: list[CarrierOut]
    ported: PortedOut
    by_hand: int
    lookup: LookupOut | None


class NumberOut(Told):
    """What is known of a number: its spellings, its kind, and whose subscriber it is."""

    e164: str | None
    national: str | None
    dial: str | None
    kind: str
    area: str | None
    extension: str | None
    carrier: str | None
    carrier_source: str


class ByHandOut(Told):
    """A number whose carrier somebody named, who, when and why."""

    number: str
    carrier: str
    note: str | None
    by: str
    at: Instant


class ByHandPage(Told):
    """Numbers whose carrier was named by hand, in their order."""

    items: list[ByHandOut]
    next: str | None


class CarrierIn(Given):
    """The carrier of one number, by its name or an alias, and why."""

    carrier: Annotated[str, Field(min_length=1, max_length=128, pattern=PRINTABLE)]
    note: Annotated[str, Field(max_length=200, pattern=PRINTABLE)] = ""


class SetupApplied(Told):
    """The version now in force, and what changed from the one before."""

    version: int
    changes: list[str]


class SetupChecked(Told):
    """A setup without a mistake: what would change against the version in force if it were applied."""

    ok: Literal[True] = True
    version: int
    changes: list[str]


class Alive(Told):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Ready(Told):
    """Everything a call needs is there."""

    ready: Literal[True] = True
    role: Literal["leader"] = "leader"
    asterisk: str
    database: str
    agi: str
