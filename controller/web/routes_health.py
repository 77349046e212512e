"""What keepers of processes and collectors of metrics ask: alive, ready, figures. No numbers of people in here."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from controller import __version__
from controller.web.asked import Known
from controller.web.problems import Problem
from controller.web.schemas import Alive, Ready

router = APIRouter(tags=["health"])

WANTED = {"asterisk": ("live",), "database": ("ok", "degraded"), "agi": ("ok",)}
"""The states in which each part does its work. A degraded database is caught up with: calls go on from memory."""


@router.get("/healthz")
async def healthz() -> Alive:
    """Tell that the process answers, and nothing about what it is connected to."""
    return Alive(version=__version__)


@router.get("/readyz")
async def readyz(deps: Known) -> Ready:
    """Tell whether a call would be served: rows loaded, link live and reconciled, AGI listening; 503 if not."""
    found = deps.engine.ready_parts
    parts = {name: found.get(name, "starting") for name in WANTED}
    if any(parts[name] not in states for name, states in WANTED.items()):
        detail = ", ".join(f"{name} is {state}" for name, state in parts.items())
        raise Problem(503, detail, more={"ready": False, **parts})
    return Ready(asterisk=parts["asterisk"], database=parts["database"], agi=parts["agi"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(deps: Known) -> Response:
    """Give the figures in Prometheus' text format."""
    return Response(generate_latest(deps.metrics), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
