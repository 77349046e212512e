"""Alerts: limits that were passed, open ones from the world, all of them from the books."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from controller.core.model import Alert
from controller.web.asked import PAGE_DEFAULT, Cursor, Known, Limit, before_instant, page_mark
from controller.web.schemas import AlertPage
from controller.web.views import alert_out

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])


@router.get("")
async def alerts(
    deps: Known,
    state: Annotated[Literal["open", "all"], Query(description="`all` includes those that were cleared")] = "open",
    limit: Limit = PAGE_DEFAULT,
    cursor: Cursor = None,
) -> AlertPage:
    """List alerts, newest first."""
    before = before_instant(cursor)
    found: dict[tuple[int, str], Alert] = {}
    if state == "all":
        for row in await deps.history.alerts(before=before, limit=limit + 1):
            found[row.raised_at_ms, row.id] = row
    await deps.engine.written()
    # The world knows an alert before the books do when the database is late.
    for row in deps.engine.world.alerts.values():
        key = (row.raised_at_ms, row.id)
        if before is None or key < before:
            found[key] = row
    newest = sorted(found, reverse=True)[: limit + 1]
    shown = newest[:limit]
    more = len(newest) > limit
    return AlertPage(items=[alert_out(found[key]) for key in shown], next=page_mark(*shown[-1]) if more else None)
