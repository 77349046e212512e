"""Who comes in by the side door: FastAGI peers that are silent, slow, huge, or many (F29)."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults import processes
from tests.faults.figures import p99, record, runs
from tests.faults.ward import Ward
from tests.live.harness import until

HEADER_S, HEADER_BYTES, SESSIONS = 2.0, 8 * 1024, 512
OUTER_S = 60.0
KIB_MAX = 64.0


async def _open(floor: Ward) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = floor.lab.info["agi"].partition(":")
    return await asyncio.open_connection(host, int(port))


async def _closed_after(reader: asyncio.StreamReader, seconds: float = OUTER_S) -> float:
    began = time.monotonic()
    try:
        while await asyncio.wait_for(reader.read(1 << 16), seconds):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - began


async def _asks(floor: Ward) -> float:
    """An honest session, `*40` of an unknown phone: how long its dialogue takes."""
    began = time.monotonic()
    reader, writer = await _open(floor)
    try:
        writer.write(b"agi_network: yes\nagi_network_script: feature\nagi_request: agi://127.0.0.1/feature\n")
        writer.write(
            b"agi_channel: PJSIP/a1-0000\nagi_uniqueid: 1795369149.9\nagi_callerid: a1\nagi_context: tongdai-feature\n"
        )
        writer.write(b"agi_threadid: 140\nagi_arg_1: *40\n\n")
        said = []
        while line := await asyncio.wait_for(reader.readline(), OUTER_S):
            said.append(line)
            if line.startswith((b"NOOP", b"SET", b"GET")):
                writer.write(b"200 result=1\n")
        assert any(b"TD_OK" in line for line in said), said
    finally:
        writer.close()
    return time.monotonic() - began


@pytest.mark.live
async def test_a_silent_peer_and_a_trickle_are_closed(floor: Ward) -> None:
    silent, trickling = [], []
    for _ in range(runs(1, 20)):
        began = time.monotonic()
        reader, writer = await _open(floor)
        slow_reader, slow_writer = await _open(floor)
        feeding = asyncio.create_task(_trickle(slow_writer))
        await asyncio.gather(_closed_after(reader), _closed_after(slow_reader))
        silent.append(time.monotonic() - began)
        trickling.append(time.monotonic() - began)
        feeding.cancel()
        writer.close()
        slow_writer.close()
    record("F29", "silent peer closed after", "2 s", silent, limit=HEADER_S + 0.2)
    record("F29", "trickle of a byte a second closed after", "2 s", trickling, limit=HEADER_S + 0.2)
    assert max(*silent, *trickling) <= HEADER_S + OUTER_S
    assert min(*silent, *trickling) >= HEADER_S - 0.1


async def _trickle(writer: asyncio.StreamWriter) -> None:
    for byte in b"agi_network: yes":
        writer.write(bytes((byte,)))
        await asyncio.sleep(1.0)


@pytest.mark.live
async def test_a_header_without_an_end_is_cut_off(floor: Ward) -> None:
    """10 MB on their way: it is closed at 8 KiB, and the memory does not see the rest."""
    before, sent = processes.memory_mb(floor.daemon), []
    for _ in range(runs(1, 20)):
        reader, writer = await _open(floor)
        count = 0
        try:
            while count < 10_000_000:
                writer.write(b"agi_x: " + b"y" * 1017)
                count += 1024
                await writer.drain()
                if reader.at_eof():
                    break
        except ConnectionError:
            pass
        await _closed_after(reader)
        sent.append(count / 1024)
        writer.close()
    grown = (processes.memory_mb(floor.daemon) - before) * 1000
    record("F29", "10 MB header: memory grown by", "≤ 64 KiB a session", [grown / len(sent)], unit="KiB", limit=KIB_MAX)
    assert min(sent) < 10_000_000 / 1024, "closed long before its end"
    assert grown < 10_000


async def _overcrowded(floor: Ward) -> tuple[int, int]:
    """Open more sessions than there is room for; how many were refused, and how many lines the log has about it.

    A machine that opens fewer than are served in the 2 s each of them lasts is asked again.
    """
    name, logged = "tongdai_agi_sessions_total", floor.logged
    before = await floor.metric(name, outcome="refused")

    async def refused() -> int:
        crowd = await asyncio.gather(*(_open(floor) for _ in range(SESSIONS + 40)))
        try:
            return int(await floor.metric(name, outcome="refused") - before)
        finally:
            for _, writer in crowd:
                writer.close()

    async def told() -> int:
        return floor.log(logged).count("agi_refused")

    await until(refused, "somebody is refused", OUTER_S)
    await until(told, "the log tells it", OUTER_S)
    return int(await floor.metric(name, outcome="refused") - before), await told()


@pytest.mark.live
async def test_many_at_once_do_not_slow_the_others(floor: Ward) -> None:
    """500 silent peers: honest sessions beside them are as quick; beyond the cap all are refused with one line."""
    await floor.desk("a1")
    await asyncio.gather(*(_asks(floor) for _ in range(3)))
    alone = [await _asks(floor) for _ in range(runs(20, 200))]
    before = processes.memory_mb(floor.daemon)
    silent = [await _open(floor) for _ in range(500)]
    most = (processes.memory_mb(floor.daemon) - before) * 1000 / len(silent)
    beside = []
    deadline = time.monotonic() + HEADER_S * 0.6
    while time.monotonic() < deadline or not beside:
        beside.append(await _asks(floor))
    refused, lines = await _overcrowded(floor)
    for _, writer in silent:
        writer.close()
    record("F29", "honest session, alone", "p99 ≤ 50 ms", alone, limit=0.05)
    record("F29", "honest session beside 500 silent ones", "p99 ≤ 50 ms", beside, limit=0.05)
    record("F29", "memory a silent session", "≤ 64 KiB", [max(0.0, most)], unit="KiB", limit=KIB_MAX, times=500)
    record("F29", "lines logged for refusals", "1 a minute", str(lines), times=refused, passed=lines == 1)
    assert refused >= 1
    assert lines == 1, f"{refused} were refused, and nobody in the minute before"
    assert most <= KIB_MAX * 4
    assert p99(beside) <= OUTER_S

    async def free() -> bool:
        try:
            return await _asks(floor) < OUTER_S
        except (OSError, AssertionError):  # the sessions of the crowd are not over yet
            return False

    await until(free, "an honest session is served again")
    await floor.serve_one()
