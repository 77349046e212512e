"""Calls out: click to call, and which way a call would leave and why, asked beforehand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query
from pydantic import AfterValidator

from controller.core.events import ClickToCallAsked
from controller.core.saying import say
from controller.web.asked import FILTER_CHARS_MAX, Filter, Known, NumberFilter, Who, Wish, ask, own, plus
from controller.web.auth import Role
from controller.web.dialling import as_keys, read_dialled
from controller.web.problems import Mistake, Problem, new_name
from controller.web.schemas import PRINTABLE, AttemptOut, ClickIn, ClickOut, Explanation

router = APIRouter(prefix="/api/v1/outbound", tags=["outbound"])

Callee = Annotated[
    str,
    Query(min_length=1, max_length=FILTER_CHARS_MAX, pattern=PRINTABLE, description="the number to be called"),
    AfterValidator(plus),
]


@router.get("/explain")
async def explain(deps: Known, who: Who, to: Callee, hotline: NumberFilter = "", agent: Filter = "") -> Explanation:
    """Explain a call to `to` by `hotline` (a number or an adaptive name) for `agent`: 200 also when the answer is no.

    Without `hotline` it is the one the agent dials with; without `agent` nobody's groups are looked at.
    """
    if who.role is Role.AGENT:
        if agent and agent != who.agent:
            raise Problem(403, say("own_calls_only"))
        agent = who.agent
    if not hotline and not agent:
        missing = Mistake("query.hotline", say("name_one"))
        raise Problem(422, say("hotline_not_said"), errors=(missing,))
    keys = as_keys(to, deps.engine.world.setup.defaults.country)
    decision = await deps.explain(keys or to, hotline, agent)
    return Explanation(
        allowed=decision.allowed,
        reason=decision.reason or None,
        to=decision.to,
        carrier=decision.carrier or None,
        carrier_source=decision.carrier_source,
        attempts=[
            AttemptOut(trunk=row.trunk, caller_id=row.caller_id, hotline=row.hotline, why=row.why)
            for row in decision.attempts
        ],
        steps=list(decision.steps),
    )


@router.post("", status_code=202)
async def click(deps: Known, who: Who, body: Annotated[ClickIn, Body()]) -> ClickOut:
    """Ring an agent's phone and, when it is picked up, dial a number as if the agent had dialled it.

    422 for an agent nobody knows, 409 when the phone is in use or away, or when the call may not be made.
    """
    if body.agent not in deps.engine.world.setup.agent or not own(who, body.agent):
        unknown = Mistake("body.agent", say("no_agent_here"))
        raise Problem(422, unknown.reason, errors=(unknown,))
    dialled = await read_dialled(deps, body.to, body.hotline)
    call = f"click-{new_name()}.1"
    event = ClickToCallAsked(
        call, body.agent, dialled.number, dialled.via, dialled.ported, dialled.ported_source, by=who.by
    )
    new = f"{dialled.number} {dialled.via}".strip()
    await ask(deps, who, Wish(event, "outbound.click", body.agent, new))
    return ClickOut(call=call)
