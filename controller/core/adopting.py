"""Calls that Asterisk has and we do not know: let in, or taken up where they are.

A caller whose arrival we missed is let in as if just arrived. A caller who talks already, and whose row was lost with
the books, goes on talking: the names of leg and bridge say that the two belong together, the leg's endpoint says who
the agent is. What we know to be over is not begun again. A caller whose queue went while nobody led goes where the
hotline leads now.
"""

from __future__ import annotations

from controller.core import agent as agents
from controller.core import arriving, commands, ids, queueing
from controller.core.events import CallArrived, ChannelSeen, SnapshotTaken
from controller.core.model import Agent, AgentPhase, Call, Phase
from controller.core.setup import Way, WayKind
from controller.core.turn import Turn

INBOUND = "inbound"


def let_in(turn: Turn, event: SnapshotTaken) -> int:
    """Let in every caller in our application whom nobody knows; returns how many."""
    count = 0
    legs, bridged = _legs(event), {bridge.id: bridge.channels for bridge in event.bridges}
    for channel in event.channels:
        if not channel.ours or channel.role != INBOUND or channel.id in turn.world.calls:
            continue
        if turn.world.is_over(channel.id):
            turn.do(commands.HangUp(channel.id, turn.cause, channel.id))
            continue
        count += 1
        _let_in(turn, channel, legs.get(channel.id, {}), bridged.get(ids.bridge(channel.id), ()))
    return count


def _legs(event: SnapshotTaken) -> dict[str, dict[int, ChannelSeen]]:
    """The legs of every call by their number."""
    legs: dict[str, dict[int, ChannelSeen]] = {}
    for channel in event.channels:
        name = ids.parse(channel.id)
        if name is not None:
            legs.setdefault(name.call, {})[name.n] = channel
    return legs


def _let_in(turn: Turn, channel: ChannelSeen, legs: dict[int, ChannelSeen], bridge: tuple[str, ...]) -> None:
    arrived = CallArrived(channel.id, channel.dialled, channel.caller, channel.caller_name)
    used = max(legs, default=0)
    far = next((leg for leg in legs.values() if leg.id in bridge and channel.id in bridge), None)
    if far is None:
        arriving.arrive(turn, arrived, legs=used)
    else:
        _take_up(turn, arriving.begin(turn, arrived, legs=used), far)


def _take_up(turn: Turn, call: Call, far: ChannelSeen) -> None:
    """Two who talk go on talking; the agent's own wrap-up counts, else the longer of hotline and its queue."""
    hotline = turn.setup.hotline.get(call.hotline)
    queue = turn.setup.queue.get(hotline.queue) if hotline else None
    name = turn.setup.agent_of_endpoint.get(far.endpoint, "")
    row = turn.setup.agent.get(name)
    wrap_up_s = max(call.wrap_up_s, queue.wrap_up if queue else 0)
    if row is not None and row.wrap_up is not None:
        wrap_up_s = row.wrap_up
    call = turn.change_call(call.id, channel_up=True, agent=name, leg=far.id, wrap_up_s=wrap_up_s)
    take_hand(turn, name, call)
    queueing.talk(turn, turn.world.calls[call.id], far.id)


def move_on(turn: Turn, call_id: str) -> None:
    """Send on a caller who waits in a queue that the setup had lost before this process began.

    What that queue said about its way out went with it. Not before a snapshot: the agent may have answered meanwhile.
    """
    call = turn.world.calls.get(call_id)
    if call is None or call.phase is not Phase.WAITING or call.queue in turn.setup.queue:
        return
    hotline = turn.setup.hotline.get(call.hotline)
    way = Way()
    if hotline is not None:
        way = Way(WayKind.MENU, hotline.menu) if hotline.menu else Way(WayKind.QUEUE, hotline.queue)
    queueing.leave(turn, call, way, "queue_removed")


def take_hand(turn: Turn, name: str, call: Call) -> None:
    """Put a talk that goes on back into the agent's hands; a hand that is full elsewhere is left alone."""
    if name in turn.setup.agent and name not in turn.world.agents:
        turn.put(Agent(name, since_ms=turn.now_ms, idle_since_ms=turn.now_ms))
    agent = turn.world.agents.get(name)
    if agent is not None and agent.phase is AgentPhase.IDLE:
        agents.offer(turn, name, call.id, call.leg)
        agents.move(turn, name, "answered")
    else:
        turn.change_call(call.id, agent="")
