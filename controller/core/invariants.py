"""What must hold after every step, whatever came in: each breach is one sentence that begins with its number.

`check` looks at the whole world and at what the step did (`conduct`). It reads and never mends; a test calls it after
every step, a daemon started with CHECK=1 does so too. The numbers are those of docs/invariants.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.core import conduct
from controller.core.alerts import STANDING
from controller.core.due import deadlines
from controller.core.matching import PASSED_MAX, TIERS
from controller.core.model import Agent, AgentPhase, Call, Entity, Phase, key_of
from controller.core.step import Step
from controller.core.world import World

_OUTBOUND = {
    Phase.CALLING: AgentPhase.DIALING,
    Phase.DIALING: AgentPhase.DIALING,
    Phase.CONNECTED: AgentPhase.CONNECTED,
}
"""What an agent does while their own call is in this phase."""
_ON_A_TRUNK = (Phase.FORWARDING, Phase.CONNECTED)


def check(world: World, now_ms: int, step: Step | None = None) -> list[str]:
    """Every breach, in no particular order; empty when all is well."""
    found = [breach for call in world.calls.values() for breach in _call(world, call, now_ms)]
    found += [breach for agent in world.agents.values() for breach in _agent(world, agent)]
    found += [breach for entity in world.entities() for breach in _deadlines(entity, now_ms)]
    found += [*_hands(world), *_alerts(world), *_trunks(world), *_uses(world), *_served(world), *_orders(world)]
    if step is not None and not step.broken:
        found += conduct.check(world, step)
    return found


# -- one call ------------------------------------------------------------------------------------------------------


def _call(world: World, call: Call, now_ms: int) -> Iterator[str]:
    name = f"call {call.id} ({call.phase})"
    for offer in call.offers:
        agent = world.agents.get(offer.agent)
        if agent is None or (agent.phase, agent.call, agent.leg) != (AgentPhase.OFFERED, call.id, offer.leg):
            yield f"S1 {name}: {offer.agent} is not held by the offer {offer.leg}"
    if call.offers and call.phase is not Phase.WAITING:
        yield f"S2 {name}: offers are out"
    if len({offer.leg for offer in call.offers}) != len(call.offers):
        yield f"S2 {name}: one leg is offered twice"
    if call.phase is Phase.TALKING and call.agent and not _holds(world, call, AgentPhase.TALKING):
        yield f"S3 {name}: {call.agent} does not talk on it"
    if call.phase in _OUTBOUND and not _holds(world, call, _OUTBOUND[call.phase]):
        yield f"S1 {name}: {call.agent} has not dialled it"
    if (call.phase in (Phase.TALKING, Phase.FORWARDING)) != bool(call.leg):
        yield f"S3 {name}: its far leg is {call.leg!r}"
    if call.held_by and call.phase not in (Phase.TALKING, Phase.CONNECTED):
        yield f"S3 {name}: is held by {call.held_by} and is no talk"
    # Before a new process has seen what Asterisk has, rows may name a queue that went meanwhile (`adopting.move_on`).
    if call.phase is Phase.WAITING and call.queue not in world.setup.queue and not world.resuming:
        yield f"S12 {name}: waits in {call.queue!r}, which is no queue"
    yield from _times(call, name, now_ms)
    yield from _consults(call, name) if call.consult else ()


def _consults(call: Call, name: str) -> Iterator[str]:
    if call.phase is not Phase.TALKING or not call.agent:
        yield f"S3 {name}: consults {call.consult} without an agent"
    if (call.consulted_at_ms is None) != (call.key_until_ms is not None):
        yield f"L1 {name}: the phone it consults rings until {call.key_until_ms}, answered at {call.consulted_at_ms}"


def _holds(world: World, call: Call, phase: AgentPhase) -> bool:
    agent = world.agents.get(call.agent)
    return agent is not None and (agent.phase, agent.call, agent.leg) == (phase, call.id, call.leg)


def _times(call: Call, name: str, now_ms: int) -> Iterator[str]:
    order = [at for at in (call.arrived_at_ms, call.queued_at_ms, call.answered_at_ms) if at is not None]
    if order != sorted(order) or order[-1] > now_ms:
        yield f"S11 {name}: arrived, queued, answered, now are {order} and {now_ms}"
    if (call.phase is Phase.WAITING) != (call.max_wait_at_ms is not None):
        yield f"S11 {name}: its longest wait ends at {call.max_wait_at_ms}"
    if (call.phase is Phase.ENDING) != (call.ending_until_ms is not None):
        yield f"S11 {name}: its ending ends at {call.ending_until_ms}"
    if call.phase in (Phase.MENU, Phase.ANNOUNCING, Phase.VOICEMAIL, Phase.FORWARDING) and (
        call.prompt_until_ms is None and call.key_until_ms is None
    ):
        yield f"L1 {name}: nothing ever ends it"


# -- agents, alerts, trunks ------------------------------------------------------------------------------------------


def _agent(world: World, agent: Agent) -> Iterator[str]:
    name = f"agent {agent.name} ({agent.phase})"
    if (agent.phase is AgentPhase.IDLE) != (agent.call == ""):
        yield f"S1 {name}: has the call {agent.call!r} in hand"
    if (agent.phase in (AgentPhase.IDLE, *_OUTBOUND.values())) != (agent.leg == ""):
        yield f"S1 {name}: has the leg {agent.leg!r} in hand"
    if (agent.phase is AgentPhase.RELEASING) != (agent.releasing_until_ms is not None):
        yield f"S1 {name}: its release ends at {agent.releasing_until_ms}"
    if (agent.wrap_up_until_ms is None) != (agent.wrap_up_started_ms is None):
        yield f"S1 {name}: its rest lasts from {agent.wrap_up_started_ms} to {agent.wrap_up_until_ms}"
    if agent.phase not in (AgentPhase.IDLE, AgentPhase.RELEASING) and agent.call not in world.calls:
        yield f"L2 {name}: its call {agent.call} is over"
    if agent.name not in world.setup.agent and agent.phase is AgentPhase.IDLE:
        yield f"S12 {name}: is not in the setup"


def _hands(world: World) -> Iterator[str]:
    """S1: whoever has an agent in hand, there is one call that does."""
    held: dict[str, list[str]] = {}
    for call in world.calls.values():
        for offer in call.offers:
            held.setdefault(offer.agent, []).append(offer.leg)
        if call.agent and call.phase in (Phase.TALKING, *_OUTBOUND):
            held.setdefault(call.agent, []).append(call.leg or call.id)
    for name, what in held.items():
        if len(what) > 1:
            yield f"S1 agent {name}: in hand at once are {what}"


def _alerts(world: World) -> Iterator[str]:
    for alert in world.alerts.values():
        if alert.kind not in STANDING and alert.call not in world.calls:
            yield f"S7 alert {alert.id}: outlives its call"
        if alert.id != f"{alert.call}.{alert.kind}" or alert.cleared_at_ms is not None:
            yield f"S7 alert {alert.id}: is {alert}"


def _trunks(world: World) -> Iterator[str]:
    """S8: a trunk counts the calls that are on it, each once."""
    for trunk in world.trunks.values():
        strangers = [call for call in trunk.live if call not in world.calls or world.calls[call].trunk != trunk.name]
        if strangers or len(dict.fromkeys(trunk.live)) != len(trunk.live):
            yield f"S8 trunk {trunk.name}: counts {trunk.live}"
    for call in world.calls.values():
        on_it = (
            call.phase in _ON_A_TRUNK
            or bool(call.consult)
            or (call.phase is Phase.TALKING and not call.agent and bool(call.attempts))
        )
        if on_it and (call.trunk not in world.trunks or call.id not in world.trunks[call.trunk].live):
            yield f"S8 call {call.id} ({call.phase}): the trunk {call.trunk!r} does not count it"


def _uses(world: World) -> Iterator[str]:
    """S8: what counts as up on a hotline or for an agent is up, and an agent has one call."""
    for hotline in world.hotlines.values():
        if any(call not in world.calls for call in hotline.use.live):
            yield f"S8 hotline {hotline.number}: counts {hotline.use.live}"
    for row in world.agent_uses.values():
        calls = [world.calls.get(name) for name in row.use.live]
        if any(call is None or row.agent not in (call.agent, call.served_by) for call in calls):
            yield f"S8 agent {row.agent}: counts {row.use.live}"


# -- time and order ----------------------------------------------------------------------------------------------------


def _deadlines(entity: Entity, now_ms: int) -> Iterator[str]:
    late = [at_ms for at_ms in deadlines(entity) if at_ms <= now_ms]
    if late:
        yield f"S6 {' '.join(key_of(entity))}: was due at {late}, now is {now_ms}"


def _served(world: World) -> Iterator[str]:
    """L3: nobody waits for an agent who is free and has not been tried."""
    if not world.linked:
        return
    for queue in world.setup.queue:
        free = [rank[2] for tier in TIERS for rank in world.free(queue, tier)]
        for _, call in world.hungry(queue)[:PASSED_MAX] if free else ():
            agent = next((name for name in free if name not in world.calls[call].tried), None)
            if agent is not None:
                yield f"L3 call {call}: waits in {queue} while {agent} is free"


def _orders(world: World) -> Iterator[str]:
    """The orders the world keeps are those of a world built anew from the same rows."""
    kept, built = world.orders(), World(world.setup, world.entities()).orders()
    for name, order in kept.items():
        if order != built[name]:
            yield f"S5 the order of {name} is {order}, its rows say {built[name]}"
