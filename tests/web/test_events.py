"""The stream of facts: order, resuming, what each role is told, and viewers who do not read."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from controller import feed
from controller.core.events import AgentStatusAsked
from controller.core.facts import CallQueued
from controller.ports import Said
from controller.settings import Http
from controller.web import broadcast, events
from tests.web.house import CALLER, open_house

pytestmark = pytest.mark.web

PATH = "/api/v1/events"


class Viewer:
    """A browser that follows the stream, played at the level of the server's protocol: httpx buffers whole answers."""

    def __init__(self, house, role="admin", last=None, **heads):
        self.house = house
        self.text = ""
        self.status = 0
        self.heads = {}
        self.reads = asyncio.Event()
        self.reads.set()
        self.gone = asyncio.Event()
        names = {"host": "localhost", "authorization": f"Bearer {house.tokens[role]}", **heads}
        if last is not None:
            names["last-event-id"] = str(last)
        self.scope = {
            "type": "http", "method": "GET", "path": PATH, "raw_path": PATH.encode(), "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in names.items()],
            "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 8090), "scheme": "http", "http_version": "1.1",
            "asgi": {"version": "3.0"},
        }  # fmt: skip
        self.asked = False
        self.ended = False

    async def receive(self):
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.heads = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.text += message["body"].decode()
            self.ended = not message.get("more_body", False)

    @property
    def facts(self):
        found = []
        for block in self.text.split("\n\n"):
            rows = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in rows:
                found.append((int(rows["id"]), rows["event"], json.loads(rows["data"])))
        return found

    async def until(self, ready, what="the stream says so"):
        for _ in range(3000):
            if ready(self):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{what}: {self.text[-500:]}")


@asynccontextmanager
async def viewer(house, role="admin", last=None, **heads):
    one = Viewer(house, role, last, **heads)
    task = asyncio.create_task(house.app(one.scope, one.receive, one.send))
    try:
        await one.until(lambda v: v.text or task.done(), "the stream begins")
        yield one
    finally:
        one.gone.set()
        one.reads.set()
        await asyncio.wait_for(task, 60)


async def test_every_fact_is_told_as_it_is_said(house):
    async with viewer(house) as one:
        assert one.status == 200
        assert one.heads["content-type"].startswith("text/event-stream")
        assert one.heads["cache-control"] == "no-store"
        assert "content-length" not in one.heads
        call = await house.talk()
        await one.until(lambda v: any(name == "CallAnswered" for _, name, _ in v.facts))
    said = house.engine.feed.since(0)
    told = one.facts
    assert [seq for seq, _, _ in told] == [row.seq for row in said if row.seq >= told[0][0]]
    names = [name for _, name, data in told if data.get("call") == call]
    assert names.index("CallStarted") < names.index("CallQueued") < names.index("CallOffered")
    for seq, name, data in told:
        assert (data["seq"], data["type"]) == (seq, name)
        assert data["at"].endswith("Z")


@pytest.mark.parametrize("last", [None, ""])
async def test_a_viewer_begins_with_what_comes_next(house, last):
    await house.arrive()
    async with viewer(house, last=last) as one:
        await house.end("1700000000.1")
        await one.until(lambda v: v.facts)
    assert all(name != "CallStarted" for _, name, _ in one.facts)
    assert f"id: {one.facts[0][0] - 1}\n" in one.text.split("\n\n")[0] + "\n"


async def test_a_viewer_that_comes_back_misses_nothing_and_hears_nothing_twice(house):
    await house.talk()
    seqs = [row.seq for row in house.engine.feed.since(0)]
    seen = seqs[len(seqs) // 2]
    async with viewer(house, last=seen) as one:
        await house.end("1700000000.1")
        last = house.engine.feed.last_seq
        await one.until(lambda v: v.facts and v.facts[-1][0] == last)
    assert [seq for seq, _, _ in one.facts] == list(range(seen + 1, last + 1))


async def test_what_memory_no_longer_has_comes_from_the_books(house):
    await house.end(await house.talk())
    last = house.engine.feed.last_seq
    house.engine.feed._kept.clear()
    async with viewer(house, last=0) as one:
        await house.tell(AgentStatusAsked("an", "offline"))
        await one.until(lambda v: v.facts and v.facts[-1][0] > last)
    seqs = [seq for seq, _, _ in one.facts]
    assert seqs == list(range(1, house.engine.feed.last_seq + 1))
    assert "reset" not in one.text


async def test_what_is_no_longer_kept_at_all_is_a_reset(house):
    await house.end(await house.talk())
    async with house.database.writing() as connection:
        from sqlalchemy import delete

        from controller.store.tables import facts

        await connection.execute(delete(facts).where(facts.c.seq < 4))
    house.engine.feed._kept.clear()
    last = house.engine.feed.last_seq
    async with viewer(house, last=1) as one:
        await one.until(lambda v: v.facts)
        await house.tell(AgentStatusAsked("an", "offline"))
        await one.until(lambda v: len(v.facts) > 1)
    assert one.facts[0][:2] == (last, "reset")
    assert one.facts[0][2]["snapshot"][0] == "/api/v1/calls?state=live"
    assert one.facts[1][0] == last + 1


async def test_a_number_from_another_life_is_a_reset(house):
    async with viewer(house, last=10**9) as one:
        await one.until(lambda v: v.facts)
    assert one.facts[0][1] == "reset"


@pytest.mark.parametrize("last", ["-1", "x", "1" * 30, "1.5"])
async def test_a_number_that_is_none_is_422(house, last):
    async with house.client() as client:
        assert (await client.get(PATH, headers={"Last-Event-ID": last})).status_code == 422


async def test_a_wallboard_hears_numbers_masked(house):
    async with viewer(house, "read") as one:
        await house.talk()
        await one.until(lambda v: any(name == "CallAnswered" for _, name, _ in v.facts))
    assert CALLER not in one.text
    started = next(data for _, name, data in one.facts if name == "CallStarted")
    assert started["caller"] == "***678"


async def test_an_agent_hears_what_concerns_that_agent(house):
    async with viewer(house, "agent:an") as one, viewer(house, "agent:binh") as other:
        await house.talk()
        await house.tell(AgentStatusAsked("binh", "available"))
        await other.until(lambda v: v.facts)
        await one.until(lambda v: any(name == "CallAnswered" for _, name, _ in v.facts))
    assert {data["agent"] for _, _, data in one.facts} == {"an"}
    assert {data["agent"] for _, _, data in other.facts} == {"binh"}


async def test_a_quiet_stream_says_that_it_lives(house, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.02)
    async with viewer(house) as one:
        await one.until(lambda v: v.text.count(": still here\n\n") > 2)


async def test_a_stream_ends_when_its_token_is_revoked(house, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.02)
    monkeypatch.setattr("controller.web.auth.KNOWN_FOR_MS", 0)
    async with viewer(house, "read") as one:
        await house.deps.tokens.revoke("read", "test")
        await one.until(lambda v: v.ended)


async def test_a_stream_ends_when_the_house_closes(house):
    async with viewer(house) as one:
        house.app.state.viewers.close()
        await one.until(lambda v: v.ended)
    assert (await house.get(PATH)).status_code == 503


async def test_a_viewer_that_does_not_read_is_cut_and_the_engine_does_not_wait(house, monkeypatch):
    monkeypatch.setattr(events, "SEND_LIMIT_S", 0.1)
    one = Viewer(house)
    task = asyncio.create_task(house.app(one.scope, one.receive, one.send))
    await one.until(lambda v: v.text)
    one.reads.clear()
    for n in range(20):
        await house.tell(AgentStatusAsked("an", "available" if n % 2 else "offline"))
    await asyncio.wait_for(task, 60)
    assert house.app.state.viewers.now == 0
    assert house.engine.feed.readers == 0


async def test_a_viewer_that_fell_behind_is_told_and_comes_back_without_a_gap(house, monkeypatch):
    monkeypatch.setattr(broadcast, "FRAMES_MAX", 5)
    monkeypatch.setattr(events, "SEND_LIMIT_S", 120.0)
    async with viewer(house) as one:
        start = house.engine.feed.last_seq
        one.reads.clear()
        for n in range(40):
            await house.tell(AgentStatusAsked("an", "available" if n % 2 else "offline"))
        one.reads.set()
        await one.until(lambda v: v.ended)
    assert "too slow" in one.text
    seen = [seq for seq, _, _ in one.facts]
    assert seen == list(range(start + 1, start + 1 + len(seen)))
    async with viewer(house, last=seen[-1] if seen else start) as again:
        last = house.engine.feed.last_seq
        await again.until(lambda v: v.facts and v.facts[-1][0] == last)
    assert seen + [seq for seq, _, _ in again.facts] == list(range(start + 1, last + 1))


async def test_a_burst_the_feed_itself_could_not_hold_is_no_gap_either(house):
    async with viewer(house) as one:
        start = house.engine.feed.last_seq
        for n in range(feed.READER_MAX + 10):
            house.engine.feed.publish(Said(start + 1 + n, 0, CallQueued("1.1", "sales", 1)))
        await one.until(lambda v: v.ended)
        assert "too slow" in one.text
        seen = [seq for seq, _, _ in one.facts]
        assert seen == list(range(start + 1, start + 1 + len(seen)))
    async with viewer(house, last=seen[-1] if seen else start) as again:
        last = house.engine.feed.last_seq
        await again.until(lambda v: v.facts and v.facts[-1][0] == last)
    assert seen + [seq for seq, _, _ in again.facts] == list(range(start + 1, last + 1))


async def test_a_fact_is_written_once_for_all_who_see_it_alike(house, monkeypatch):
    written = []
    write = broadcast.Frame._write
    monkeypatch.setattr(
        broadcast.Frame, "_write", lambda frame, masked: written.append(frame.seq) or write(frame, masked=masked)
    )
    async with viewer(house) as one, viewer(house, "supervisor") as two, viewer(house, "read") as three:
        await house.tell(AgentStatusAsked("an", "available"))
        last = house.engine.feed.last_seq
        for each in (one, two, three):
            await each.until(lambda v: v.facts and v.facts[-1][0] == last)
    assert written.count(last) == 2


async def test_the_feed_is_read_while_somebody_watches(house):
    assert house.engine.feed.readers == 0
    async with viewer(house), viewer(house):
        assert house.engine.feed.readers == 1
    await asyncio.sleep(0)
    assert house.engine.feed.readers == 0


async def test_no_more_viewers_than_there_is_room_for(books):
    async with open_house(books, http=Http(viewers_max=2)) as house:
        async with viewer(house), viewer(house):
            refused = await house.get(PATH)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        async with viewer(house) as one:
            assert one.status == 200


async def test_a_page_of_another_site_may_not_follow(house):
    async with house.client() as client:
        answer = await client.get(PATH, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    async with viewer(house, origin="http://localhost:8090") as one:
        assert one.status == 200
