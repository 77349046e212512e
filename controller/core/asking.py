"""The question every call out is decided by, with all that the world knows: whoever asks leaves nothing out."""

from __future__ import annotations

from controller.core.events import OutboundAsked
from controller.core.trunks import Question
from controller.core.world import World


def question(world: World, now_ms: int, day: str, asked: OutboundAsked, agent: str = "") -> Question:
    """Everything the decision may look at; `day` is the local date, `agent` empty for calls nobody dialled.

    What is left to chance is decided by the agent and how often they have called today (the number and the adaptive
    number come to it as they are read, not as they were written), so that a question beforehand gets the answer of the
    call; calls nobody dialled go by their name (`asked.call`).
    """
    return Question(
        setup=world.setup,
        agent=agent,
        dialled=asked.dialled,
        via=asked.via,
        ported=asked.ported,
        ported_source=asked.ported_source,
        trunks=world.trunks,
        hotlines=world.hotlines,
        now_ms=now_ms,
        salt=f"{agent}/{_calls(world, agent, day)}" if agent else asked.call,
        day=day,
        agent_uses=world.agent_uses,
        callee_days=world.callee_days,
    )


def _calls(world: World, agent: str, day: str) -> int:
    used = world.agent_uses.get(agent)
    return used.use.calls if used is not None and used.use.day == day else 0
