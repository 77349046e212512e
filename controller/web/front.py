"""The door of the API, before and after this daemon leads.

One listener for the whole life of the process. While another controller leads, everything but health and metrics is
answered 503 with the place where the leader is; who may ask is the same law as always (`web.auth`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.datastructures import State
from starlette.types import Receive, Scope, Send

from controller import __version__
from controller.core.saying import Saying, say
from controller.settings import Http
from controller.web import auth, problems
from controller.web.deps import Clock, Tokens
from controller.web.gate import Gate, hosts_of
from controller.web.problems import Problem
from controller.web.schemas import Alive

METHODS: Final = ["GET", "PUT", "POST", "DELETE", "PATCH"]


class Standing(Protocol):
    """What a standby knows: the leader's name and address (empty while unknown), and how its own database is."""

    @property
    def leader(self) -> str: ...
    @property
    def leader_url(self) -> str: ...
    @property
    def database_state(self) -> str: ...


class Front:
    """The application behind the listener. `show` puts another in its place; requests end where they began."""

    def __init__(self) -> None:
        self._app: FastAPI | None = None

    def show(self, app: FastAPI) -> None:
        """From now on this application answers; whoever watched the events of the last one is let go."""
        before, self._app = self._app, app
        if before is not None:
            before.state.viewers.close()

    @property
    def state(self) -> State:
        """The state of the application that answers now."""
        return self._shown().state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        await self._shown()(scope, receive, send)

    def _shown(self) -> FastAPI:
        if self._app is None:
            raise RuntimeError("the front serves before it was shown an application")
        return self._app


@dataclass(frozen=True)
class StandbyDeps:
    """The few rooms a standby has open."""

    standing: Standing
    tokens: Tokens
    metrics: CollectorRegistry
    clock: Clock


class _Nobody:
    """Nobody watches the events of a standby: there are none."""

    def close(self) -> None:
        """Nothing to let go."""


def create_standby(deps: StandbyDeps, http: Http | None = None) -> FastAPI:
    """Build what a standby answers."""
    http = http or Http()
    app = FastAPI(title="Tổng Đài", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.viewers = _Nobody()
    problems.install(app)

    @app.get("/healthz")
    async def healthz() -> Alive:
        return Alive(version=__version__)

    @app.get("/readyz")
    async def readyz() -> None:
        standing = deps.standing
        parts = {"asterisk": "standby", "database": standing.database_state, "agi": "standby"}
        found = {"ready": False, "role": "standby", "leader": standing.leader, "leader_url": standing.leader_url}
        raise Problem(503, _detail(standing), more={**found, **parts})

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(deps.metrics), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    @app.api_route("/{path:path}", methods=METHODS)
    async def elsewhere(path: str) -> None:
        del path
        standing = deps.standing
        raise Problem(503, _detail(standing), more={"role": "standby", "leader_url": standing.leader_url})

    app.add_middleware(Gate, doorkeeper=auth.Doorkeeper(deps.tokens, deps.clock), hosts=hosts_of(http))
    return app


def _detail(standing: Standing) -> Saying:
    if not standing.leader:
        return say("standby_alone")
    return say("standby_of", leader=standing.leader)
