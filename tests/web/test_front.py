"""What a standby answers, and how the same port answers once it leads."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest
from prometheus_client import CollectorRegistry

from controller.metrics import Metrics
from controller.web.front import Front, StandbyDeps, create_standby

pytestmark = pytest.mark.web


@dataclass
class Standing:
    leader: str = "pbx1:8090"
    leader_url: str = "http://127.0.0.1:8090"
    database_state: str = "ok"


@pytest.fixture
def standing():
    return Standing()


@pytest.fixture
def front(house, standing):
    metrics = Metrics()
    metrics.lead(False)
    assert isinstance(metrics.registry, CollectorRegistry)
    found = Front()
    found.show(create_standby(StandbyDeps(standing, house.deps.tokens, metrics.registry, house.deps.clock)))
    return found


def client(front):
    return httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://127.0.0.1")


async def test_a_standby_is_alive_and_not_ready_and_says_who_leads(front, standing):
    async with client(front) as asked:
        assert (await asked.get("/healthz")).status_code == 200
        ready = await asked.get("/readyz")
        told = ready.json()
        assert (ready.status_code, told["ready"], told["role"]) == (503, False, "standby")
        assert (told["leader"], told["leader_url"]) == ("pbx1:8090", "http://127.0.0.1:8090")
        assert (told["asterisk"], told["database"], told["agi"]) == ("standby", "ok", "standby")
        assert "tongdai_leader 0.0" in (await asked.get("/metrics")).text
        standing.leader = ""
        assert "nobody leads yet" in (await asked.get("/readyz")).json()["detail"]


async def test_a_standby_serves_nothing_else_and_nobody_without_a_token(front, house):
    head = {"Authorization": f"Bearer {house.tokens['admin']}"}
    async with client(front) as asked:
        for method, path in (("GET", "/api/v1/calls"), ("PUT", "/api/v1/agents/an/status"), ("GET", "/api/v1/events")):
            assert (await asked.request(method, path)).status_code == 401
            refused = await asked.request(method, path, headers=head)
            assert (refused.status_code, refused.json()["leader_url"]) == (503, "http://127.0.0.1:8090")
        assert (await asked.get("/nowhere", headers=head)).status_code == 404


async def test_the_same_door_answers_once_it_leads(front, house):
    head = {"Authorization": f"Bearer {house.tokens['admin']}"}
    async with client(front) as asked:
        assert (await asked.get("/api/v1/calls", headers=head)).status_code == 503
        front.show(house.app)
        assert (await asked.get("/api/v1/calls", headers=head)).status_code == 200
        assert (await asked.get("/readyz")).json()["role"] == "leader"


async def test_a_front_that_was_shown_nothing_says_so():
    with pytest.raises(RuntimeError, match="before it was shown"):
        async with client(Front()) as asked:
            await asked.get("/healthz")
