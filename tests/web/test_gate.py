"""What the gate refuses before a route sees it, in which order, and what every answer carries."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sqlite3
from contextlib import closing

import httpx
import pytest

from controller import owed
from controller.errors import LedgerError
from controller.settings import Bind, Http
from controller.web import gate
from controller.web.auth import ACCESS
from controller.web.problems import new_name
from tests.web.house import HOTLINE, open_house

pytestmark = pytest.mark.web

WRITES = [(method, path) for path, methods in ACCESS.items() for method in methods if method != "GET"]


def filled(path):
    return path.replace("{call}", "1700000000.1").replace("{agent}", "an")


async def test_every_answer_carries_the_headers(house):
    for path in ("/healthz", "/api/v1/queues", "/nowhere", "/metrics", "/openapi.json"):
        answer = await house.get(path)
        for name, value in gate.SECURITY_HEADERS.items():
            assert answer.headers[name] == value, (path, name)
        assert "strict-transport-security" not in answer.headers
    async with house.client(None) as client:
        assert (await client.get("/api/v1/queues")).headers["content-security-policy"].startswith("default-src 'none'")
    async with house.client(base_url="https://localhost") as client:
        assert "max-age" in (await client.get("/healthz")).headers["strict-transport-security"]


async def test_every_refusal_is_a_problem_document(house):
    answers = [
        await house.get("/nowhere"),
        await house.send("DELETE", "/api/v1/queues"),
        await house.get("/api/v1/queues", None),
        await house.get("/api/v1/setup", "read"),
        await house.get("/api/v1/calls", limit=0),
        await house.get("/api/v1/calls/none.1"),
    ]
    assert [answer.status_code for answer in answers] == [404, 405, 401, 403, 422, 404]
    for answer in answers:
        body = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert body.keys() >= {"type", "title", "status", "detail", "instance"}
        assert body["status"] == answer.status_code
        assert body["type"].startswith("urn:tongdai:problem:")
    assert len({answer.json()["instance"] for answer in answers}) == len(answers)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "[::1", "a b"])
async def test_another_name_is_refused(house, host):
    async with house.client() as client:
        assert (await client.get("/healthz", headers={"Host": host})).status_code == 421


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8090", "127.0.0.1", "127.0.0.1:1", "[::1]:8090", "pbx.example"]
)
async def test_our_names_are_known(books, host):
    async with open_house(books, http=Http(hosts=("pbx.example",))) as house, house.client() as client:
        assert (await client.get("/healthz", headers={"Host": host})).status_code == 200


async def test_the_address_we_are_bound_to_is_a_name_of_ours(books):
    http = Http(bind=Bind("127.0.0.9", 8090))
    async with open_house(books, http=http) as house, house.client() as client:
        assert (await client.get("/healthz", headers={"Host": "127.0.0.9:8090"})).status_code == 200


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_a_page_of_another_site_changes_nothing(house, method, path):
    async with house.client() as client:
        for heads in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost.evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            answer = await client.request(method, filled(path), json={}, headers=heads)
            assert answer.status_code == 403, heads
        ours = await client.request(method, filled(path), json={}, headers={"Origin": "http://localhost:3000"})
        assert ours.status_code != 403


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_a_body_of_another_kind_is_415(house, method, path):
    async with house.client() as client:
        for kind in (
            "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx",
            "application/json; charset=utf-16", "",
        ):  # fmt: skip
            if kind in ACCESS[path][method].media:
                continue
            answer = await client.request(method, filled(path), content=b"{}", headers={"Content-Type": kind})
            assert answer.status_code == 415, kind
            assert "application/json" in answer.headers["accept"]
        zipped = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        assert (await client.request(method, filled(path), content=b"{}", headers=zipped)).status_code == 415


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_a_body_beyond_the_limit_is_413_whether_it_says_so_or_not(house, method, path):
    access = ACCESS[path][method]
    big = b'"' + b"x" * access.body_max + b'"'

    async def trickle():
        for at in range(0, len(big), 1 << 18):
            yield big[at : at + (1 << 18)]

    async with house.client() as client:
        heads = {"Content-Type": "application/json", "If-Match": "*"}
        assert (await client.request(method, filled(path), content=big, headers=heads)).status_code == 413
        assert (await client.request(method, filled(path), content=trickle(), headers=heads)).status_code == 413


async def test_the_body_of_a_stranger_is_not_read(house):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1024

    async with house.client(None) as client:
        answer = await client.put("/api/v1/setup", content=endless(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, sent) == (401, 0)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/api/v1/calls?stat=live", ["query.stat"]),
        ("/api/v1/calls?state=live&state=ended", ["query.state"]),
        ("/api/v1/calls?limit=10&limit=10", ["query.limit"]),
        ("/api/v1/calls?state=now", ["query.state"]),
        ("/api/v1/calls?limit=501", ["query.limit"]),
        ("/api/v1/calls?limit=x&since=yesterday", ["query.since", "query.limit"]),
        ("/api/v1/calls?since=2026-01-01T00:00:00", ["query.since"]),
        ("/api/v1/calls?since=1700000000&until=-35752910925", ["query.since", "query.until"]),
        ("/api/v1/calls?cursor=%00", ["query.cursor"]),
        ("/api/v1/calls?cursor=bm9wZQ", ["query.cursor"]),
        ("/api/v1/calls?queue=%00", ["query.queue"]),
        ("/api/v1/queues?queue=sales", ["query.queue"]),
        ("/healthz?x=", ["query.x"]),
        ("/api/v1/calls/1.1/story?verbose=1", ["query.verbose"]),
    ],
)
async def test_a_parameter_nobody_reads_or_nobody_understands_is_422(house, path, wrong):
    answer = await house.get(path)
    assert answer.status_code == 422
    assert sorted(row["path"] for row in answer.json()["errors"]) == sorted(wrong)


async def test_a_failure_of_ours_is_500_without_a_word_of_what_broke(house, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret inside")

    monkeypatch.setattr("controller.web.routes_queues.queue_out", broken)
    answer = await house.get("/api/v1/queues")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:tongdai:problem:internal")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_the_log_names_the_request_and_neither_token_nor_number(house, monkeypatch):
    from controller import log

    def broken(**_):
        raise RuntimeError("broken")

    lines = io.StringIO()
    log.configure("debug", "json", lines)
    monkeypatch.setattr("controller.web.routes_outbound.Explanation", broken)
    answer = await house.get("/api/v1/outbound/explain", to="0912345678", hotline=HOTLINE)
    assert answer.status_code == 500
    for role in (None, "read"):
        await house.get("/api/v1/setup", role)
    text = lines.getvalue()
    assert answer.json()["instance"].removeprefix("urn:tongdai:request:") in text
    assert "RuntimeError: broken" in text
    assert "0912345678" not in text
    assert not any(token in text for token in house.tokens.values())


def test_a_name_made_by_chance_is_never_taken_for_a_number():
    """One in seven hundred of hexadecimal digits was, and stood in the log with its last three alone."""
    made = {new_name() for _ in range(5_000)}
    assert len(made) == 5_000
    assert all(name.isascii() and name.isalpha() and len(name) == 16 for name in made)


async def test_books_that_do_not_answer_are_503(house, monkeypatch):
    async def silent(*_, **__):
        raise LedgerError("database /somewhere/tongdai.db: no answer in time")

    monkeypatch.setattr(house.deps.history, "calls", silent)
    answer = await house.get("/api/v1/calls")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "somewhere" not in answer.text


async def test_a_request_that_takes_too_long_is_given_up(house, monkeypatch):
    from dataclasses import replace

    async def never(*_, **__):
        await asyncio.sleep(60)

    monkeypatch.setattr(house.deps.history, "calls", never)
    monkeypatch.setitem(ACCESS["/api/v1/calls"], "GET", replace(ACCESS["/api/v1/calls"]["GET"], limit_s=0.05))
    assert (await house.get("/api/v1/calls")).status_code == 503


async def test_more_than_the_gate_holds_at_once_is_503(house, monkeypatch):
    monkeypatch.setattr(gate, "BUSY_MAX", 2)
    free, inside = asyncio.Event(), []

    async def waiting(*_, **__):
        inside.append(1)
        await free.wait()
        return []

    monkeypatch.setattr(house.deps.history, "calls", waiting)
    under_way = [asyncio.create_task(house.get("/api/v1/calls")) for _ in range(2)]
    async with asyncio.timeout(20):
        while len(inside) < len(under_way):  # noqa: ASYNC110 - the gate signals nobody
            await asyncio.sleep(0.005)
    assert (await house.get("/api/v1/queues")).status_code == 503
    free.set()
    assert [answer.status_code for answer in await asyncio.gather(*under_way)] == [200, 200]
    assert (await house.get("/api/v1/queues")).status_code == 200


async def test_a_sender_that_goes_away_in_the_middle_is_no_error_of_ours(house):
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    path = "/api/v1/agents/an/status"
    heads = {
        "host": "localhost",
        "authorization": f"Bearer {house.tokens['admin']}",
        "content-type": "application/json",
    }
    scope = {
        "type": "http", "method": "PUT", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in heads.items()] + [(b"content-length", b"9")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1), "scheme": "http", "http_version": "1.1",
        "asgi": {"version": "3.0"},
    }  # fmt: skip
    await house.app(scope, receive, send)
    assert sent[0]["status"] == 408


async def test_there_are_no_websockets(house):
    sent = []

    async def send(message):
        sent.append(message)

    await house.app({"type": "websocket", "path": "/api/v1/events", "headers": []}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


# -- health ----------------------------------------------------------------------------------------------------------


async def test_alive_ready_and_figures(house):
    assert (await house.get("/healthz", None)).json()["status"] == "ok"
    ready = await house.get("/readyz", None)
    assert (ready.status_code, ready.json()) == (
        200, {"ready": True, "role": "leader", "asterisk": "live", "database": "ok", "agi": "ok"},
    )  # fmt: skip
    figures = await house.get("/metrics", None)
    assert figures.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "tongdai_calls 0.0" in figures.text


@pytest.mark.parametrize(("part", "state"), [("asterisk", "lost"), ("asterisk", "connecting"), ("agi", "down")])
async def test_not_ready_is_503_with_the_state_of_each_part(house, part, state):
    house.engine.ready_parts[part] = state
    answer = await house.get("/readyz", None)
    body = answer.json()
    assert (answer.status_code, body["ready"], body[part]) == (503, False, state)
    assert body.keys() >= {"asterisk", "database", "agi"}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_late_books_are_told_and_do_not_take_the_service_away(house, monkeypatch):
    monkeypatch.setattr(owed, "COMMIT_LIMIT_S", 0.25)
    with closing(sqlite3.connect(house.database.url.database)) as other:
        other.execute("BEGIN IMMEDIATE")
        await house.send("PUT", "/api/v1/agents/an/status", {"status": "available"})
        answer = await house.get("/readyz", None)
        assert (answer.status_code, answer.json()["database"]) == (200, "degraded")
        other.rollback()
    await house.written()
    assert (await house.get("/readyz", None)).json()["database"] == "ok"


async def test_no_number_of_a_person_is_in_the_figures(house):
    await house.talk(caller="0912345678")
    assert "0912345678" not in (await house.get("/metrics", None)).text


# -- the contract ----------------------------------------------------------------------------------------------------


async def test_the_contract_is_openapi_3_1_and_names_every_refusal(house):
    contract = (await house.get("/openapi.json", None)).json()
    assert contract["openapi"].startswith("3.1")
    assert contract["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            access = ACCESS[path][method.upper()]
            assert operation["x-roles"] == sorted(access.roles)
            assert bool(operation["security"]) is not access.public
            for status in ("422", "503"):
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
    text = json.dumps(contract)
    assert "HTTPValidationError" not in text
    assert all(token not in text for token in house.tokens.values())


async def test_nothing_but_loopback_is_spoken_to(house):
    """The application has no page that loads anything from elsewhere."""
    async with house.client() as client:
        for path in ("/docs", "/redoc", "/"):
            assert (await client.get(path)).status_code == 404
    assert isinstance(house.app.router.routes, list)


async def test_the_real_server_answers_over_a_socket(house):
    from controller.web.server import listen, serve

    listener = listen(Bind("127.0.0.1", 0))
    url = "http://{}:{}".format(*listener.getsockname())
    serving = asyncio.create_task(serve(house.app, listener))
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        head = {"Authorization": f"Bearer {house.tokens['admin']}"}
        answer = await client.get(
            "/api/v1/outbound/explain", params={"to": "0967000001", "hotline": HOTLINE}, headers=head
        )
        assert (answer.status_code, answer.json()["allowed"]) == (200, True)
        assert "server" not in answer.headers
        async with client.stream("GET", "/api/v1/events", headers=head) as stream:
            lines = stream.aiter_lines()
            assert (await anext(lines)).startswith(": hello")
            await house.arrive()
            async for line in lines:
                if line.startswith("event: "):
                    break
            assert line == "event: CallStarted"
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(serving, 20)


@pytest.mark.parametrize("begun", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: loc"])
async def test_a_head_that_never_comes_to_its_end_costs_a_place_for_a_while_only(house, monkeypatch, begun):
    from controller.web import server

    monkeypatch.setattr(server, "HEAD_LIMIT_S", 1.0)
    listener = server.listen(Bind("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve(house.app, listener))
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    # The first connection never says anything whole, the second falls silent after a good request.
    for first in (b"", whole) if begun else (b"",):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        if first:
            writer.write(first)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"}")
        writer.write(begun)
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, 20)


async def test_a_port_that_is_taken_is_one_line():
    from controller.errors import SettingsError
    from controller.web.server import listen

    listener = listen(Bind("127.0.0.1", 0))
    try:
        with pytest.raises(SettingsError, match="Address already in use"):
            listen(Bind(*listener.getsockname()))
    finally:
        listener.close()
