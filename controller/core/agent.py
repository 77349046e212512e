"""The agent machine: one pair of hands, one set of deadlines, whatever the number of queues.

What we do with an agent is the phase; what they wish is the status; what their phone says is the truth about the
phone. The three are independent, and an agent is offered a call only when all three allow it (`world.is_free`).

    IDLE --offered--> OFFERED --answered--> TALKING
    OFFERED --gone--> IDLE          the phone refused, or the leg vanished
    OFFERED, TALKING --released--> RELEASING --gone--> IDLE
    any but TALKING --dialed--> DIALING --connected--> CONNECTED
    DIALING, CONNECTED --gone--> IDLE

RELEASING is the honest name for "hang-up asked, not yet gone": the phone may still ring, so nobody else may ring it.
Wrap-up is no phase but an instant that is stored: it runs beside RELEASING, DIALING and CONNECTED and outlives any
restart.
"""

from __future__ import annotations

from controller.core import commands, ids
from controller.core.answer import OK, Answer
from controller.core.events import AgentStatusAsked, PhoneChanged, PhoneChannel, WrapUpEndAsked, WrapUpExtendAsked
from controller.core.model import Agent, AgentPhase
from controller.core.saying import say
from controller.core.turn import Turn

RELEASE_LIMIT_MS = 5_000
DEAF_PAUSE_MS = 1_000
"""While Asterisk cannot be heard, what depends on hearing it is put off by so much at a time."""
UNREACHABLE_MS = 60_000
STATUSES = ("available", "not_ready", "offline")
REASON_MAX = 64
NO_ANSWER = "no_answer"
"""The reason of those who are not ready because nobody answered their phone."""
FOREIGN_MAX = 16

MOVES: dict[tuple[AgentPhase, str], AgentPhase | None] = {
    (AgentPhase.IDLE, "offered"): AgentPhase.OFFERED,
    (AgentPhase.IDLE, "answered"): None,
    (AgentPhase.IDLE, "released"): None,
    (AgentPhase.IDLE, "gone"): None,
    (AgentPhase.IDLE, "dialed"): AgentPhase.DIALING,
    (AgentPhase.IDLE, "connected"): None,
    (AgentPhase.OFFERED, "offered"): None,
    (AgentPhase.OFFERED, "answered"): AgentPhase.TALKING,
    (AgentPhase.OFFERED, "released"): AgentPhase.RELEASING,
    (AgentPhase.OFFERED, "gone"): AgentPhase.IDLE,
    (AgentPhase.OFFERED, "dialed"): AgentPhase.DIALING,
    (AgentPhase.OFFERED, "connected"): None,
    (AgentPhase.TALKING, "offered"): None,
    (AgentPhase.TALKING, "answered"): None,
    (AgentPhase.TALKING, "released"): AgentPhase.RELEASING,
    (AgentPhase.TALKING, "gone"): AgentPhase.IDLE,
    (AgentPhase.TALKING, "dialed"): None,
    (AgentPhase.TALKING, "connected"): None,
    (AgentPhase.RELEASING, "offered"): None,
    (AgentPhase.RELEASING, "answered"): None,
    (AgentPhase.RELEASING, "released"): None,
    (AgentPhase.RELEASING, "gone"): AgentPhase.IDLE,
    (AgentPhase.RELEASING, "dialed"): AgentPhase.DIALING,
    (AgentPhase.RELEASING, "connected"): None,
    (AgentPhase.DIALING, "offered"): None,
    (AgentPhase.DIALING, "answered"): None,
    (AgentPhase.DIALING, "released"): None,
    (AgentPhase.DIALING, "gone"): AgentPhase.IDLE,
    (AgentPhase.DIALING, "dialed"): None,
    (AgentPhase.DIALING, "connected"): AgentPhase.CONNECTED,
    (AgentPhase.CONNECTED, "offered"): None,
    (AgentPhase.CONNECTED, "answered"): None,
    (AgentPhase.CONNECTED, "released"): None,
    (AgentPhase.CONNECTED, "gone"): AgentPhase.IDLE,
    (AgentPhase.CONNECTED, "dialed"): None,
    (AgentPhase.CONNECTED, "connected"): None,
}
"""Every cell of the machine. None: this cannot happen, and a step that tries is undone and told as an OddEvent."""


def move(turn: Turn, name: str, verb: str, **fields: object) -> Agent:
    """Take an agent through one cell of MOVES, replacing `fields` with it."""
    agent = turn.world.agents[name]
    after = MOVES[agent.phase, verb]
    if after is None:
        raise LookupError(f"agent {name}: {verb} while {agent.phase}")
    if after is not AgentPhase.RELEASING:
        fields.setdefault("releasing_until_ms", None)
    return turn.change_agent(name, phase=after, **fields)


def holds(turn: Turn, name: str, leg: str) -> bool:
    """Whether this agent is being rung or talks on this very leg."""
    agent = turn.world.agents.get(name)
    return agent is not None and agent.leg == leg and agent.phase in (AgentPhase.OFFERED, AgentPhase.TALKING)


def offer(turn: Turn, name: str, call: str, leg: str) -> None:
    """Reserve an agent for a call."""
    move(turn, name, "offered", call=call, leg=leg, last_offered_ms=turn.now_ms)


def release(turn: Turn, name: str, q850: int = 16) -> None:
    """Give up the agent's leg: hang it up and wait until it is gone."""
    agent = turn.world.agents[name]
    until_ms = turn.now_ms + RELEASE_LIMIT_MS
    move(turn, name, "released", releasing_until_ms=until_ms)
    turn.do(commands.HangUp(agent.call, turn.cause, agent.leg, q850))


def release_again(turn: Turn, name: str) -> Agent:
    """The leg given up is still there: its hang-up may have been lost with us."""
    agent = turn.world.agents[name]
    turn.do(commands.HangUp(agent.call, turn.cause, agent.leg))
    return turn.change_agent(name, releasing_until_ms=turn.now_ms + RELEASE_LIMIT_MS)


def free(turn: Turn, name: str, **fields: object) -> Agent:
    """The agent's leg or own outbound call is gone."""
    return move(turn, name, "gone", call="", leg="", **fields)


def leg_gone(turn: Turn, leg: str) -> bool:
    """A leg is gone that its call had given up before; whether an agent was waiting for that."""
    name = turn.world.agent_of_leg.get(leg)
    if name is None or turn.world.agents[name].phase is not AgentPhase.RELEASING:
        return False
    free(turn, name)
    return True


def rest(turn: Turn, name: str, wrap_up_s: int) -> None:
    """Begin wrap-up at the end of an answered call; a rest that already runs is never shortened."""
    agent = turn.world.agents[name]
    until_ms = turn.now_ms + 1000 * wrap_up_s
    if wrap_up_s <= 0 or (agent.wrap_up_until_ms or 0) >= until_ms:
        turn.change_agent(name, idle_since_ms=turn.now_ms)
        return
    turn.change_agent(name, wrap_up_started_ms=turn.now_ms, wrap_up_until_ms=until_ms, idle_since_ms=turn.now_ms)


def rang_out(turn: Turn, name: str, pause_after: int) -> None:
    """The phone rang and nobody answered: after so many offers in a row the agent is not ready (docs/decisions.md 30).

    Callers wait on: only those who are offline are not signed in.
    """
    agent = turn.change_agent(name, unanswered=turn.world.agents[name].unanswered + 1)
    if agent.status == "available" and 0 < pause_after <= agent.unanswered:
        turn.change_agent(name, status="not_ready", reason=NO_ANSWER)


def is_there(turn: Turn, name: str) -> None:
    """The agent did something about an offer: what rang out before is forgotten."""
    turn.change_agent(name, unanswered=0)


def set_aside(turn: Turn, name: str) -> None:
    """The phone failed an offer: no more offers until a sign of life, or a minute at most."""
    turn.change_agent(name, unreachable_until_ms=turn.now_ms + UNREACHABLE_MS)


def due(turn: Turn, agent: Agent) -> None:
    """One or more of the agent's deadlines have come."""
    now_ms = turn.now_ms
    if agent.wrap_up_until_ms is not None and agent.wrap_up_until_ms <= now_ms:
        turn.change_agent(agent.name, wrap_up_until_ms=None, wrap_up_started_ms=None)
    if agent.unreachable_until_ms is not None and agent.unreachable_until_ms <= now_ms:
        turn.change_agent(agent.name, unreachable_until_ms=None)
    if agent.releasing_until_ms is not None and agent.releasing_until_ms <= now_ms:
        _never_gone(turn, agent)


def _never_gone(turn: Turn, agent: Agent) -> None:
    if not turn.world.linked:
        turn.change_agent(agent.name, releasing_until_ms=turn.now_ms + DEAF_PAUSE_MS)
        return
    turn.do(commands.HangUp(agent.call, turn.cause, agent.leg))
    free(turn, agent.name)
    set_aside(turn, agent.name)


# -- what people ask ---------------------------------------------------------------------------------------------


def ask_status(turn: Turn, event: AgentStatusAsked) -> Answer:
    """Accept a status, whatever the phone's state; an offer that is out is withdrawn when it no longer fits."""
    agent = turn.world.agents.get(event.agent)
    if agent is None or event.agent not in turn.setup.agent:
        return Answer("not_found", say("no_agent_named", agent=repr(event.agent)))
    if event.status not in STATUSES:
        return Answer("invalid", say("status_one_of", allowed=", ".join(STATUSES), status=repr(event.status)))
    turn.by = event.by
    came = agent.status != "available" and event.status == "available"
    turn.change_agent(
        agent.name,
        status=event.status,
        unanswered=0,
        reason=event.reason[:REASON_MAX] if event.status == "not_ready" else "",
        idle_since_ms=turn.now_ms if came else agent.idle_since_ms,
    )
    return OK


def ask_wrap_up_end(turn: Turn, event: WrapUpEndAsked) -> Answer:
    """End a rest early."""
    agent = turn.world.agents.get(event.agent)
    if agent is None:
        return Answer("not_found", say("no_agent_named", agent=repr(event.agent)))
    if agent.wrap_up_until_ms is None:
        return Answer("conflict", say("not_in_wrap_up", agent=agent.name))
    turn.by = event.by
    turn.change_agent(agent.name, wrap_up_until_ms=None, wrap_up_started_ms=None)
    return OK


def ask_wrap_up_extend(turn: Turn, event: WrapUpExtendAsked) -> Answer:
    """Extend a rest, up to the setup's longest in all (docs/decisions.md: wrap-up)."""
    agent = turn.world.agents.get(event.agent)
    if agent is None:
        return Answer("not_found", say("no_agent_named", agent=repr(event.agent)))
    if agent.wrap_up_until_ms is None or agent.wrap_up_started_ms is None:
        return Answer("conflict", say("not_in_wrap_up", agent=agent.name))
    if event.seconds < 1:
        return Answer("invalid", say("extend_more", seconds=event.seconds))
    longest = turn.setup.defaults.wrap_up_max
    until_ms = agent.wrap_up_until_ms + 1000 * event.seconds
    if until_ms - agent.wrap_up_started_ms > 1000 * longest:
        return Answer("invalid", say("wrap_up_longest", longest=longest))
    turn.by = event.by
    turn.change_agent(agent.name, wrap_up_until_ms=until_ms)
    return OK


# -- what the phone says -----------------------------------------------------------------------------------------


def phone_changed(turn: Turn, event: PhoneChanged) -> None:
    """The phone registered, vanished or answers again."""
    name = turn.setup.agent_of_endpoint.get(event.endpoint)
    agent = turn.world.agents.get(name) if name else None
    if agent is None:
        return
    turn.change_agent(
        agent.name,
        reachable=event.reachable,
        unreachable_until_ms=None if event.reachable else agent.unreachable_until_ms,
        phone_at_ms=turn.now_ms,
    )


def phone_channel(turn: Turn, event: PhoneChannel) -> None:
    """A channel we did not make lives or dies on an agent's phone; a live one is a sign of life."""
    name = turn.setup.agent_of_endpoint.get(event.endpoint)
    agent = turn.world.agents.get(name) if name else None
    if agent is None or ids.parse(event.channel) is not None:
        return
    others = tuple(channel for channel in agent.foreign if channel != event.channel)
    if event.state != "gone":
        others = (*others, event.channel)[-FOREIGN_MAX:]
    alive = event.state in ("ring", "up")
    turn.change_agent(
        agent.name,
        foreign=others,
        unreachable_until_ms=None if alive else agent.unreachable_until_ms,
        phone_at_ms=turn.now_ms,
    )
