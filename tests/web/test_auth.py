"""Who may ask what (the matrix of every route, method and role), tokens, and what one agent may know of another."""

from __future__ import annotations

import pytest

from controller.errors import LedgerError
from controller.web import auth
from controller.web.auth import ACCESS, FAILURES_MAX, Role, find, principal_of
from tests.web.house import HOTLINE, ROLES, SECRET, open_house

pytestmark = pytest.mark.web

EVERYBODY = ("admin", "supervisor", "agent:an", "dial", "read", None)
DECLARED = {
    ("GET", "/healthz"): "admin supervisor agent:an dial read None",
    ("GET", "/readyz"): "admin supervisor agent:an dial read None",
    ("GET", "/metrics"): "admin supervisor agent:an dial read None",
    ("GET", "/openapi.json"): "admin supervisor agent:an dial read None",
    ("GET", "/api/v1/calls"): "admin supervisor agent:an read",
    ("GET", "/api/v1/calls/{call}"): "admin supervisor agent:an read",
    ("GET", "/api/v1/calls/{call}/story"): "admin supervisor agent:an",
    ("POST", "/api/v1/calls/{call}/hangup"): "admin supervisor agent:an",
    ("POST", "/api/v1/calls/{call}/transfer"): "admin supervisor agent:an",
    ("POST", "/api/v1/calls/{call}/consult"): "admin supervisor agent:an",
    ("GET", "/api/v1/agents"): "admin supervisor agent:an read",
    ("GET", "/api/v1/agents/{agent}"): "admin supervisor agent:an read",
    ("PUT", "/api/v1/agents/{agent}/status"): "admin supervisor agent:an",
    ("POST", "/api/v1/agents/{agent}/wrap-up"): "admin supervisor agent:an",
    ("GET", "/api/v1/queues"): "admin supervisor agent:an read",
    ("GET", "/api/v1/trunks"): "admin supervisor read",
    ("GET", "/api/v1/alerts"): "admin supervisor read",
    ("POST", "/api/v1/outbound"): "admin supervisor agent:an dial",
    ("GET", "/api/v1/outbound/explain"): "admin supervisor agent:an dial",
    ("GET", "/api/v1/carriers"): "admin supervisor read",
    ("GET", "/api/v1/numbers"): "admin supervisor",
    ("POST", "/api/v1/numbers/refresh"): "admin",
    ("GET", "/api/v1/numbers/{number}"): "admin supervisor agent:an dial",
    ("PUT", "/api/v1/numbers/{number}/carrier"): "admin supervisor",
    ("DELETE", "/api/v1/numbers/{number}/carrier"): "admin supervisor",
    ("GET", "/api/v1/setup"): "admin supervisor",
    ("PUT", "/api/v1/setup"): "admin",
    ("POST", "/api/v1/setup/check"): "admin supervisor",
    ("GET", "/api/v1/events"): "admin supervisor agent:an read",
}
"""The law once more, by hand: a change of the table must be meant in two places."""

CELLS = [(method, path, role) for method, path in DECLARED for role in EVERYBODY]


def routes_of(app):
    """Every path and method of an application, with the framework's own words."""
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path


async def test_the_table_and_the_application_have_the_same_routes(house):
    table = {(method, path) for path, methods in ACCESS.items() for method in methods}
    assert set(routes_of(house.app)) | {("GET", "/openapi.json")} == table == set(DECLARED)


async def test_the_table_knows_the_parameters_of_every_route(house):
    for path, methods in house.app.openapi()["paths"].items():
        for method, operation in methods.items():
            known = {row["name"] for row in operation.get("parameters", ()) if row["in"] == "query"}
            assert ACCESS[path][method.upper()].query == known, path


async def test_a_route_nobody_declared_cannot_be_reached(house):
    house.app.add_api_route("/api/v1/forgotten", lambda: {"secret": 1})
    assert (await house.get("/api/v1/forgotten")).status_code == 404


async def test_every_cell_of_the_matrix(house):
    call = await house.talk()
    wrong = []
    for method, template, role in CELLS:
        path = template.replace("{call}", call).replace("{agent}", "an")
        if template == "/api/v1/events":
            status = await stream_status(house, role)
        else:
            status = (await ask(house, method, path, role)).status_code
        allowed = str(role) in DECLARED[method, template].split()
        expected = "in" if allowed else "out"
        found = "out" if status in {401, 403} else "in"
        if expected != found or (role is None and not allowed and status != 401) or status >= 500:
            wrong.append((method, path, role, status))
    assert wrong == []
    assert len(CELLS) == len(DECLARED) * len(EVERYBODY)


async def ask(house, method, path, role):
    async with house.client(role) as client:
        return await client.request(method, path, headers={"Content-Type": "application/json"}, content=b"{}")


async def stream_status(house, role):
    """The status of the event stream, which has no end: its gate is asked with the methods of a plain request."""
    house.app.state.viewers.most = 0
    try:
        return 200 if (answer := await house.get("/api/v1/events", role)).status_code == 503 else answer.status_code
    finally:
        house.app.state.viewers.most = 10


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_a_method_nobody_declared_is_405_with_those_that_are(house, method):
    for path, methods in ACCESS.items():
        if method in methods:
            continue
        answer = await ask(house, method, path.replace("{call}", "a.1").replace("{agent}", "an"), "admin")
        assert answer.status_code == 405, path
        assert answer.headers["allow"] == ", ".join(sorted(methods))


@pytest.mark.parametrize(
    "head",
    ["", "Bearer", "Bearer ", "Basic dGQ6eA==", "Bearer wrong", "Bearer td_" + "x" * 32, "Bearer " + "x" * 5000],
)
async def test_whoever_shows_no_good_token_is_401_and_told_how(house, head):
    async with house.client(None) as client:
        answer = await client.get("/api/v1/queues", headers={"Authorization": head})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["type"] == "urn:tongdai:problem:not-signed-in"


async def test_two_authorization_headers_are_one_too_many(house):
    async with house.client() as client:
        token = house.tokens["admin"]
        heads = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
        client.headers.pop("authorization")
        assert (await client.get("/api/v1/queues", headers=heads)).status_code == 401


async def test_a_revoked_token_is_dead_within_a_second(house, monkeypatch):
    assert (await house.get("/api/v1/queues", "read")).status_code == 200
    await house.deps.tokens.revoke("read", "test")
    monkeypatch.setattr(auth, "KNOWN_FOR_MS", 0)
    assert (await house.get("/api/v1/queues", "read")).status_code == 401


async def test_silent_books_do_not_shut_out_who_was_known(house, monkeypatch):
    assert (await house.get("/api/v1/queues", "read")).status_code == 200
    asked = 0

    async def silent(_):
        nonlocal asked
        asked += 1
        raise LedgerError("database: no answer in time")

    monkeypatch.setattr(house.deps.tokens, "verify", silent)
    monkeypatch.setattr(auth, "KNOWN_FOR_MS", 0)
    assert (await house.get("/api/v1/queues", "read")).status_code == 200
    assert asked == 1
    assert (await house.get("/api/v1/queues", "supervisor")).status_code == 503
    monkeypatch.setattr(auth, "KNOWN_STILL_FOR_MS", 0)
    assert (await house.get("/api/v1/queues", "read")).status_code == 503


async def test_a_known_token_is_not_looked_up_for_each_request(house, monkeypatch):
    monkeypatch.setattr(auth, "KNOWN_FOR_MS", 600_000)
    asked = 0
    verify = house.deps.tokens.verify

    async def counting(token):
        nonlocal asked
        asked += 1
        return await verify(token)

    house.deps.tokens.verify = counting
    for _ in range(5):
        assert (await house.get("/api/v1/queues")).status_code == 200
    assert asked <= 1


async def test_guessing_is_answered_429_and_a_right_token_from_there_still_passes(house):
    async with house.client(None, peer="127.0.0.7") as client:
        statuses = []
        for n in range(FAILURES_MAX + 3):
            answer = await client.get("/api/v1/queues", headers={"Authorization": f"Bearer td_guess{n}"})
            statuses.append(answer.status_code)
        assert statuses == [401] * FAILURES_MAX + [429] * 3
        assert int(answer.headers["retry-after"]) >= 1
        good = await client.get("/api/v1/queues", headers={"Authorization": f"Bearer {house.tokens['read']}"})
        assert good.status_code == 200


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
async def test_what_loopback_may_see_needs_a_token_from_elsewhere(house, path):
    async with house.client(None, peer="192.0.2.9") as client:
        assert (await client.get(path)).status_code == 401
        assert (await client.get("/healthz")).status_code == 200
    async with house.client("read", peer="192.0.2.9") as client:
        assert (await client.get(path)).status_code == 200


# -- one agent and another -------------------------------------------------------------------------------------------


async def test_an_agent_sees_and_changes_itself_alone(house):
    names = [row["name"] for row in (await house.get("/api/v1/agents", "agent:an")).json()["items"]]
    assert names == ["an"]
    for method, path, body in (
        ("GET", "/api/v1/agents/binh", None),
        ("PUT", "/api/v1/agents/binh/status", {"status": "available"}),
        ("POST", "/api/v1/agents/binh/wrap-up", {"action": "end"}),
        ("GET", "/api/v1/agents/nobody", None),
    ):
        answer = await house.send(method, path, body, "agent:an")
        assert (answer.status_code, answer.json()["detail"]) == (404, "there is no agent of this name")
    mine = await house.send("PUT", "/api/v1/agents/an/status", {"status": "available"}, "agent:an")
    assert mine.status_code == 200
    assert house.engine.world.agents["binh"].status == "offline"


async def test_an_agent_is_told_nothing_about_calls_of_another(house):
    call = await house.talk()
    for state in ("talking", "ended"):
        for path in ("", "/story"):
            assert (await house.get(f"/api/v1/calls/{call}{path}", "agent:an")).status_code == 200
            other = await house.get(f"/api/v1/calls/{call}{path}", "agent:binh")
            never = await house.get(f"/api/v1/calls/no.1{path}", "agent:binh")
            assert other.status_code == never.status_code == 404
            assert other.json()["detail"].replace(call, "no.1") == never.json()["detail"]
        assert (await house.send("POST", f"/api/v1/calls/{call}/hangup", role="agent:binh")).status_code == 404
        mine = [row["id"] for row in (await house.get("/api/v1/calls", "agent:an")).json()["items"]]
        theirs = (await house.get("/api/v1/calls", "agent:binh")).json()["items"]
        asked = (await house.get("/api/v1/calls", "agent:binh", agent="an")).json()["items"]
        assert (mine, theirs, asked) == ([call], [], []), state
        if state == "talking":
            await house.end(call)


async def test_an_agent_sees_the_queues_it_serves(house):
    assert [row["name"] for row in (await house.get("/api/v1/queues", "agent:an")).json()["items"]] == ["sales"]
    assert [row["name"] for row in (await house.get("/api/v1/queues")).json()["items"]] == ["sales", "care"]


async def test_an_agent_explains_its_own_calls_only(house):
    asked = {"to": "0967000001", "hotline": HOTLINE}
    assert (await house.get("/api/v1/outbound/explain", "agent:an", agent="binh", **asked)).status_code == 403
    assert (await house.get("/api/v1/outbound/explain", "agent:an", **asked)).json()["allowed"] is True


async def test_a_wallboard_sees_numbers_masked(house):
    call = await house.talk(caller="0912345678")
    for row in (
        (await house.get(f"/api/v1/calls/{call}", "read")).json(),
        (await house.get("/api/v1/calls", "read")).json()["items"][0],
    ):
        assert row["caller"] == "***678"
        assert row["caller_name"] is None
    assert "0912345678" not in (await house.get("/api/v1/calls", "read")).text


async def test_secrets_of_the_setup_are_for_the_admin_alone(house):
    assert SECRET in (await house.get("/api/v1/setup")).text
    async with house.client("supervisor") as client:
        for accept in ("application/json", "application/toml"):
            answer = await client.get("/api/v1/setup", headers={"Accept": accept})
            assert answer.status_code == 200
            assert SECRET not in answer.text
            assert "an" in answer.text


@pytest.mark.parametrize("role", ["", "boss", "agent", "agent:", "admin:x", "ADMIN"])
def test_no_role_of_ours_is_nobody(role):
    assert principal_of(role, "x") is None


def test_a_role_reads_back():
    assert principal_of("agent:an", "phone").agent == "an"
    assert principal_of("admin", "").role is Role.ADMIN
    assert {principal_of(role, "x").role.value for role in ROLES} == {role.value for role in Role}


@pytest.mark.parametrize("path", ["", "/", "/api/v1/calls/", "/api/v1/calls//story", "//healthz", "/api/v1/agents/a/b"])
def test_a_path_that_only_looks_like_one_of_ours_is_none(path):
    assert find(path) is None


async def test_two_houses_do_not_share_what_they_know(books, tmp_path, template):
    import shutil

    other = shutil.copyfile(template, tmp_path / "two.db")
    async with open_house(books) as one, open_house(other) as two, one.client() as client:
        client.headers["Authorization"] = f"Bearer {two.tokens['admin']}"
        assert (await client.get("/api/v1/queues")).status_code == 401
