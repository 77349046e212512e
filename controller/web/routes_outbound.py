"""Which way a call would leave, and why: the decision of the dial path, asked beforehand. Nothing is dialled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator

from controller.web.asked import FILTER_CHARS_MAX, PRINTABLE, Filter, Known, NumberFilter, Who, plus
from controller.web.auth import Role
from controller.web.problems import Mistake, Problem
from controller.web.schemas import AttemptOut, Explanation

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
            raise Problem(403, "an agent's token explains that agent's calls only")
        agent = who.agent
    if not hotline and not agent:
        missing = Mistake("query.hotline", "name a hotline, an adaptive number or an agent")
        raise Problem(422, "it is not said which hotline would carry the call", errors=(missing,))
    decision = await deps.explain(to, hotline, agent)
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
