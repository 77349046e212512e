"""What an outsider tries against the HTTP interface: raw bytes on the socket, and tokens of others."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import socket

import pytest

from controller import log
from controller.core.events import AgentStatusAsked, CallArrived, LegAnswered, PhoneChanged
from controller.web.auth import FAILURES_MAX
from tests.web.served import Served

pytestmark = pytest.mark.web


@pytest.fixture(scope="module")
def served(template, tmp_path_factory):
    books = tmp_path_factory.mktemp("attacked") / "books.db"
    books.write_bytes(template.read_bytes())
    with Served(books) as up:
        yield up


SILENT_S = 0.5
PATIENT_S = 30.0
"""For what must be answered, and is closed then."""


def said(served, raw: bytes, silent_s: float = SILENT_S) -> list[bytes]:
    """The status lines of everything the server answers to these bytes until it closes or falls silent."""
    host, port = served.url.removeprefix("http://").split(":")
    answer = b""
    # Nobody who half-closes is answered, so silence has to be waited for.
    with socket.create_connection((host, int(port)), timeout=PATIENT_S) as peer, contextlib.suppress(OSError):
        peer.sendall(raw)
        peer.settimeout(silent_s)
        while piece := peer.recv(65536):
            answer += piece
    return [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def head(served, *lines: str, target: str = "/api/v1/queues", method: str = "GET", role: str = "read") -> bytes:
    token = served.tokens[role]
    rows = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}", *lines]
    return "\r\n".join([*rows, "", ""]).encode()


SMUGGLED = b"GET /api/v1/setup HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 4", "Transfer-Encoding: chunked"],
        ["Content-Length: 0", "Content-Length: 50"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding : chunked"],
        ["Content-Length: +0"],
        ["Content-Length: 0x0"],
        ["X: a\r\n b"],
        ["X: a\rContent-Length: 50"],
        ["X: a\nContent-Length: 50"],
        ["X\x00: a"],
    ],
    ids=str,
)
def test_one_request_is_never_taken_for_two(served, lines):
    """Whatever the length of the first is said to be, what follows it is at most the next request, never a part."""
    first = head(served, *lines, "Connection: close", method="POST", target="/api/v1/calls/1.1/hangup")
    statuses = said(served, first + b"0\r\n\r\n" + SMUGGLED)
    assert len(statuses) <= 1
    assert all(line.split()[1] in {b"400", b"403", b"415", b"501"} for line in statuses), statuses


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /healthz\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT 127.0.0.1:8088 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"TRACE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz%00.html HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz%0d%0aSet-Cookie:x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /?" + b"a=1&" * 3000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\r\n" * 1000,
        b"\x00" * 1000,
    ],
    ids=lambda raw: repr(raw[:50]),
)
def test_no_bytes_break_the_server_or_get_in(served, raw):
    statuses = [int(line.split()[1]) for line in said(served, raw)]
    assert all(400 <= status < 500 for status in statuses), statuses
    healthy = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert said(served, healthy, PATIENT_S)[0].startswith(b"HTTP/1.1 200")


def test_a_request_in_full_is_answered(served):
    """The other side of these tests: the same socket, asked rightly."""
    assert said(served, head(served, "Connection: close"), PATIENT_S)[0].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
async def test_what_a_proxy_would_say_is_not_believed(house, path):
    """A stranger who calls itself loopback stays a stranger: no header says who asks."""
    claims = {
        "X-Forwarded-For": "127.0.0.1",
        "X-Real-IP": "127.0.0.1",
        "Forwarded": "for=127.0.0.1;host=localhost",
        "X-Forwarded-Host": "localhost",
        "X-User": "admin",
        "X-Original-URL": "/healthz",
        "X-HTTP-Method-Override": "PUT",
    }
    async with house.client(None, peer="192.0.2.9") as client:
        assert (await client.get(path, headers=claims)).status_code == 401
        assert (await client.get("/healthz", headers={**claims, "Host": "evil.example"})).status_code == 421


# -- one agent and another: every pair -------------------------------------------------------------------------------

AGENTS = ("an", "binh")


async def talking(house, agent: str, call: str) -> None:
    """The agent has answered a call of its own: an serves sales, binh is rung by a call of care."""
    await house.tell(PhoneChanged(agent, reachable=True), AgentStatusAsked(agent, "available"))
    await house.tell(CallArrived(call, house.hotline_of[agent], "0912345678", "Somebody"))
    await house.tell(LegAnswered(call, house.leg(call)))
    assert house.engine.world.agents[agent].call == call


@pytest.fixture
async def two(books):
    from tests.web.house import SETUP, open_house

    more = '\n[[hotline]]\nnumber = "+842473001003"\nname = "Care"\ntrunk = "viettel-1"\nqueue = "care"\n'
    async with open_house(books, SETUP + more) as house:
        house.hotline_of = {"an": "+842473001001", "binh": "+842473001003"}
        for n, agent in enumerate(AGENTS):
            await talking(house, agent, f"1700000000.{n}")
        yield house


@pytest.mark.parametrize(("mine", "theirs"), list(itertools.permutations(AGENTS, 2)))
async def test_no_agent_reaches_what_is_anothers(two, mine, theirs):
    role, call, own = f"agent:{mine}", f"1700000000.{AGENTS.index(theirs)}", f"1700000000.{AGENTS.index(mine)}"
    before = two.engine.world.agents[theirs]
    for method, path, body in (
        ("GET", f"/api/v1/agents/{theirs}", None),
        ("PUT", f"/api/v1/agents/{theirs}/status", {"status": "offline"}),
        ("POST", f"/api/v1/agents/{theirs}/wrap-up", {"action": "end"}),
        ("GET", f"/api/v1/calls/{call}", None),
        ("GET", f"/api/v1/calls/{call}/story", None),
        ("POST", f"/api/v1/calls/{call}/hangup", None),
    ):
        assert (await two.send(method, path, body, role)).status_code == 404, (method, path)
    assert two.engine.world.agents[theirs] == before
    assert (await two.get(f"/api/v1/calls/{own}", role)).status_code == 200
    for path in ("/api/v1/calls", "/api/v1/agents", "/api/v1/queues"):
        text = (await two.get(path, role)).text
        assert call not in text, path
        assert f'"{theirs}"' not in text, path
    for query in ({"agent": theirs}, {"queue": "care"}, {"queue": "sales"}, {"caller": "0912345678"}):
        items = (await two.get("/api/v1/calls", role, **query)).json()["items"]
        assert {row["id"] for row in items} <= {own}, query


@pytest.mark.parametrize(("mine", "theirs"), list(itertools.permutations(AGENTS, 2)))
async def test_no_agent_hears_of_another(two, mine, theirs):
    """Every fact of the stream, from the first: those of the other agent's call are not among them."""
    from controller.web.auth import Principal, Role
    from controller.web.broadcast import Frame

    who = Principal(Role.AGENT, mine)
    told = [Frame(said).shown_to(who) for said in two.engine.feed.since(0)]
    heard = [json.loads(frame.split(b"data: ")[1]) for frame in told if frame]
    assert heard
    assert {row.get("agent") for row in heard} == {mine}


# -- what the log tells of it ----------------------------------------------------------------------------------------


async def test_who_is_refused_is_in_the_log_and_does_not_fill_it(house):
    lines = io.StringIO()
    log.configure("info", "json", lines)
    async with house.client(None, peer="127.0.0.7") as client:
        for n in range(FAILURES_MAX * 3):
            await client.get("/api/v1/queues", headers={"Authorization": f"Bearer td_guess{n:030}"})
    for _ in range(20):
        await house.get("/api/v1/setup", "read")
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    found = [(row["event"], row["status"], row["peer"], row["path"]) for row in told]
    assert found == [
        ("request_refused", 401, "127.0.0.7", "/api/v1/queues"),
        ("request_refused", 429, "127.0.0.7", "/api/v1/queues"),
        ("request_refused", 403, "127.0.0.1", "/api/v1/setup"),
    ]
    assert "td_guess" not in lines.getvalue()


async def test_a_refusal_long_after_tells_how_many_there_were(house, monkeypatch):
    from controller.web import gate

    lines = io.StringIO()
    log.configure("info", "json", lines)
    for _ in range(5):
        await house.get("/api/v1/setup", "read")
    monkeypatch.setattr(gate, "REFUSED_SAID_S", 0.0)
    await house.get("/api/v1/setup", "read")
    assert [json.loads(line)["before"] for line in lines.getvalue().splitlines()] == [0, 4]
