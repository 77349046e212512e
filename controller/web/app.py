"""The application: routes, gate and contract put together. The hall calls `create_app` and hands in `Deps`."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from controller import __version__
from controller.settings import Http
from controller.web import (
    auth,
    events,
    problems,
    routes_agents,
    routes_alerts,
    routes_calls,
    routes_health,
    routes_numbers,
    routes_outbound,
    routes_queues,
    routes_setup,
    routes_trunks,
)
from controller.web.broadcast import Broadcast
from controller.web.deps import Deps
from controller.web.gate import Gate, hosts_of
from controller.web.schemas import ProblemDocument

ROUTERS: Final = (
    routes_calls.router,
    routes_agents.router,
    routes_queues.router,
    routes_trunks.router,
    routes_alerts.router,
    routes_outbound.router,
    routes_numbers.router,
    routes_setup.router,
    events.router,
    routes_health.router,
)
_OWN_REFUSALS: Final = {
    ("/api/v1/outbound", "post"): (("404", "no agent of this name"),),
    ("/api/v1/setup", "get"): (("406", "neither JSON nor TOML is taken"),),
    ("/api/v1/setup", "put"): (("428", "it is not said which version the change began from"),),
}
DESCRIPTION: Final = """Calls, agents, queues, alerts and the setup of a Tổng Đài.

Errors are problem documents (RFC 9457). Times are ISO 8601 in UTC with milliseconds. Lists are paged: newest first,
50 a page unless asked, `next` goes into `cursor`. Unknown query parameters and unknown keys are refused."""


def create_app(deps: Deps, http: Http | None = None) -> FastAPI:
    """Build the application. `http` says under which names it may be asked and how many may watch the events."""
    http = http or Http()
    app = FastAPI(
        title="Tổng Đài",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.deps = deps
    app.state.viewers = Broadcast(deps.engine.feed, http.viewers_max)
    app.state.reading = asyncio.Semaphore(1)
    for router in ROUTERS:
        # Taken over as they are: including a router builds every route a second time, on the first request of each.
        app.router.routes.extend(router.routes)
    problems.install(app)
    app.openapi = cache(lambda: _contract(app))  # type: ignore[method-assign]  # FastAPI's way to an own contract
    app.add_middleware(Gate, doorkeeper=auth.Doorkeeper(deps.tokens, deps.clock), hosts=hosts_of(http))
    return app


def _contract(app: FastAPI) -> dict[str, Any]:
    """Write the OpenAPI document: what FastAPI knows, plus who may call what and how it can fail."""
    contract = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    components = contract.setdefault("components", {})
    components.setdefault("securitySchemes", {})["token"] = {"type": "http", "scheme": "bearer"}
    shapes = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        shapes.pop(name, None)
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    shapes.update(problem.pop("$defs", {}))
    shapes["ProblemDocument"] = problem
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            access = auth.ACCESS[path][method.upper()]
            operation["security"] = [] if access.public else [{"token": []}]
            operation["x-roles"] = sorted(access.roles)
            operation["responses"].update({status: _refusal(text) for status, text in _refusals(path, method, access)})
    return contract


def _refusals(path: str, method: str, access: auth.Access) -> list[tuple[str, str]]:
    """List the ways an operation can fail."""
    found = [("421", "another host's name"), ("422", "not understood; `errors` has every mistake"), ("503", "not now")]
    found += _OWN_REFUSALS.get((path, method), ())
    if not access.public:
        found += [("401", "no token, or one that is not known"), ("403", "not with this token")]
        found += [("429", "too many wrong tokens")]
    if "{" in path:
        found += [("404", "no such thing")]
    if method in {"put", "post", "delete"}:
        found += [("409", "not in the present state"), ("413", "too large"), ("415", "not a type this reads")]
        found += [("408", "the body never came to its end")]
    return found


def _refusal(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {"description": text, "content": {problems.MEDIA_TYPE: {"schema": schema}}}
