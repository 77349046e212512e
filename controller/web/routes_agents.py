"""Agents: who is there, what they do, and the two things a person may ask of them: a status, and their wrap-up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Body

from controller.core.events import AgentStatusAsked, WrapUpEndAsked, WrapUpExtendAsked
from controller.core.saying import say
from controller.web.asked import (
    PAGE_DEFAULT,
    AgentName,
    Cursor,
    Known,
    Limit,
    Who,
    Wish,
    after_name,
    ask,
    own,
    page_mark,
)
from controller.web.auth import Principal
from controller.web.deps import Deps
from controller.web.problems import Problem
from controller.web.schemas import AgentOut, AgentPage, EndWrapUp, StatusIn, WrapUpIn
from controller.web.views import agent_out, page_names

router = APIRouter(prefix="/api/v1/agents", tags=["agents"])


@router.get("")
async def agents(deps: Known, who: Who, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None) -> AgentPage:
    """List agents in the order of the setup; an agent's token sees itself."""
    await deps.engine.written()
    names = [row.name for row in deps.engine.world.setup.agents if own(who, row.name)]
    shown, more = page_names(names, after_name(cursor), limit)
    return AgentPage(items=[_show(deps, name) for name in shown], next=page_mark(shown[-1]) if more else None)


@router.get("/{agent}")
async def one_agent(deps: Known, who: Who, agent: AgentName) -> AgentOut:
    """Show one agent."""
    await deps.engine.written()
    _must_be_known(deps, who, agent)
    return _show(deps, agent)


@router.put("/{agent}/status")
async def set_status(deps: Known, who: Who, agent: AgentName, body: Annotated[StatusIn, Body()]) -> AgentOut:
    """Set the status an agent wishes; it is accepted whatever the phone's state."""
    _must_be_known(deps, who, agent)
    reason = body.reason or ""
    event = AgentStatusAsked(agent, body.status, reason, by=who.by)
    new = f"{body.status} {reason}".strip()
    await ask(deps, who, Wish(event, "agent.status", agent, new, "body.status", lambda: _status(deps, agent)))
    await deps.engine.written()
    return _show(deps, agent)


@router.post("/{agent}/wrap-up")
async def wrap_up(deps: Known, who: Who, agent: AgentName, body: Annotated[WrapUpIn, Body()]) -> AgentOut:
    """End or extend a rest. 409 when there is none, 422 when it would last longer than the setup allows in all."""
    _must_be_known(deps, who, agent)
    if isinstance(body, EndWrapUp):
        wish = Wish(WrapUpEndAsked(agent, by=who.by), "wrap-up.end", agent, old=lambda: _rest(deps, agent))
    else:
        event = WrapUpExtendAsked(agent, body.seconds, by=who.by)
        new = f"{body.seconds} s more"
        wish = Wish(event, "wrap-up.extend", agent, new, "body.seconds", lambda: _rest(deps, agent))
    await ask(deps, who, wish)
    await deps.engine.written()
    return _show(deps, agent)


def _must_be_known(deps: Deps, who: Principal, agent: str) -> None:
    if agent not in deps.engine.world.setup.agent or not own(who, agent):
        raise Problem(404, say("no_agent_here"))


def _status(deps: Deps, name: str) -> str:
    """The status of an agent in the words of the audit."""
    agent = deps.engine.world.agents.get(name)
    return f"{agent.status} {agent.reason}".strip() if agent is not None else "offline"


def _rest(deps: Deps, name: str) -> str:
    """When an agent's rest would end, in the words of the audit."""
    agent = deps.engine.world.agents.get(name)
    if agent is None or agent.wrap_up_until_ms is None:
        return ""
    return f"until {datetime.fromtimestamp(agent.wrap_up_until_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _show(deps: Deps, name: str) -> AgentOut:
    world = deps.engine.world
    return agent_out(world.setup.agent[name], world.agents.get(name))
