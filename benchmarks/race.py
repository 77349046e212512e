"""Our queue beside app_queue: one Asterisk, one run, the same phones and callers.

    python -m benchmarks.race [--agents 1 20 200] [--seconds 15] [--port-base 31060]

For each number of agents and each of the two: callers enough that somebody always waits, agents who talk a while and
hang up. Measured: the time from an agent's BYE to the next INVITE at that phone, and the CPU of Asterisk and of the
daemon per call. Then a ramp of calls a second, until one of the two loses calls. Everything is loopback, ends by
itself, and leaves nothing behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.farm import Agents, Callers
from controller.lab.get_asterisk import find_asterisk

HOTLINE = "+842400000001"
PHONES, CARRIER = ("127.0.0.21", 5081), ("127.0.0.31", 5082)
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
WARM_S, DRAIN_S = 3.0, 4.0
RAMP = (20, 40, 60, 80, 100, 120, 150)
RAMP_S = 6.0
RAMP_TALK_S = (0.4, 0.6)
SERVED = 0.97


def setup_text(agents: int) -> str:
    """The setup of our side: one hotline, one queue, every agent at a fixed contact."""
    rows = [
        '[[trunk]]\nname = "bench"\n' + f'host = "{CARRIER[0]}:{CARRIER[1]}"\n',
        f'[[hotline]]\nnumber = "{HOTLINE}"\nname = "bench"\ntrunk = "bench"\nqueue = "bench"\n',
        '[[queue]]\nname = "bench"\ngroups = [{ name = "g", primary = true }]\nmax_wait = 600\nmax_size = 5000\n',
        'wrap_up = 0\nrecord = false\noverflow = "hangup"\n\n',
        '[[group]]\nname = "g"\n',
    ]
    for n in range(agents):
        contact = f"sip:a{n}@{PHONES[0]}:{PHONES[1]}"
        rows.append(f'[[agent]]\nname = "a{n}"\ngroups = ["g"]\nphone = {{ contact = "{contact}" }}\n')
    return "".join(rows)


def queues_conf(sizes: list[int]) -> str:
    """The same for app_queue: one queue for every number of agents."""
    text = "[general]\nautofill=yes\npersistentmembers=no\n"
    for size in sizes:
        text += f"\n[bench{size}]\nstrategy=leastrecent\ntimeout=15\nretry=1\nringinuse=no\nwrapuptime=0\n"
        text += "".join(f"member => PJSIP/a{n}\n" for n in range(size))
    return text


@dataclass
class Rig:
    """A running lab with app_queue beside."""

    folder: Path
    lab: dict[str, object]
    asterisk: tuple[str, int]
    web: aiohttp.ClientSession
    command: list[str]

    async def cli(self, line: str) -> str:
        """One command to Asterisk's console."""
        pipe = asyncio.subprocess.PIPE
        run = await asyncio.create_subprocess_exec(*self.command, "-rx", line, stdout=pipe, stderr=pipe)
        out, _ = await run.communicate()
        return out.decode(errors="replace")

    async def sign_in(self, agents: int, of: int) -> None:
        """Make the first `agents` available and the others offline."""
        for n in range(of):
            status = "available" if n < agents else "offline"
            async with self.web.put(f"/api/v1/agents/a{n}/status", json={"status": status}) as reply:
                reply.raise_for_status()

    def cpu(self) -> tuple[float, float]:
        """CPU seconds of Asterisk and of the daemon so far."""
        pids = self.lab["pids"]
        return _cpu(pids["asterisk"]), _cpu(pids["daemon"])  # type: ignore[index]  # lab.json's shape


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


@contextlib.asynccontextmanager
async def rig(sizes: list[int], port_base: int) -> AsyncIterator[Rig]:
    """Start a lab, load app_queue into its Asterisk, and end all of it afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "setup.toml").write_text(setup_text(max(sizes)))
        words = ["lab", "--dir", str(folder / "lab"), "--setup", str(folder / "setup.toml"), "--no-demo"]
        words += ["--port-base", str(port_base), "--rtp-range", f"{port_base + 1000}-{port_base + 9000}"]
        log = (folder / "lab.out").open("w")
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "controller", *words, stdout=log, stderr=log)
        try:
            lab = await _ready(folder, child)
            token = {"Authorization": f"Bearer {lab['admin_token']}"}
            async with aiohttp.ClientSession(str(lab["http"]), headers=token) as web:
                host, _, port = str(lab["sip"]).partition(":")
                etc = folder / "lab" / "asterisk" / "etc"
                command = [*find_asterisk().argv, "-C", str(etc / "asterisk.conf")]
                made = Rig(folder, lab, (host, int(port)), web, command)
                (etc / "queues.conf").write_text(queues_conf(sizes))
                with (etc / "extensions.conf").open("a") as file:
                    file.write("\n[tongdai-inbound](+)\n")
                    file.writelines(f"exten => 99{size},1,Queue(bench{size})\n" for size in sizes)
                await made.cli("module load app_queue.so")
                await made.cli("dialplan reload")
                yield made
        finally:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
                await child.wait()
            log.close()


async def _ready(folder: Path, child: asyncio.subprocess.Process) -> dict[str, object]:
    path = folder / "lab" / "lab.json"
    for _ in range(600):
        if path.exists():
            found: dict[str, object] = json.loads(path.read_text())
            return found
        if child.returncode is not None:
            break
        await asyncio.sleep(0.1)
    raise RuntimeError(f"the lab did not come up:\n{(folder / 'lab.out').read_text()[-2000:]}")


@dataclass
class Result:
    """One row of the table."""

    name: str
    agents: int
    p50_ms: float
    p99_ms: float
    calls_s: float
    asterisk_ms: float
    daemon_ms: float
    failed: int
    twice: int


async def idle_time(made: Rig, name: str, number: str, agents: int, seconds: float) -> Result:
    """Callers always wait; how long does a free agent wait for the next."""
    talk_s = (0.5, 2.5) if agents <= 20 else (2.0, 6.0)  # noqa: PLR2004  # two cores carry about 50 calls a second
    desk = Agents(*PHONES, made.asterisk, talk_s)
    crowd = Callers(*CARRIER, made.asterisk, number)
    for _ in range(agents + max(3, agents // 4)):
        crowd.call()
        await asyncio.sleep(0.01)
    await asyncio.sleep(WARM_S)
    before = made.cpu()
    desk.measuring = crowd.measuring = True
    await asyncio.sleep(seconds)
    desk.measuring = crowd.measuring = False
    after = made.cpu()
    crowd.again = False
    await _drained(crowd)
    crowd.close()
    desk.close()
    idle = sorted(desk.idle_ms) or [float("nan")]
    calls = max(1, crowd.done)
    return Result(
        name,
        agents,
        statistics.median(idle),
        idle[int(len(idle) * 0.99)],
        crowd.done / seconds,
        1000 * (after[0] - before[0]) / calls,
        1000 * (after[1] - before[1]) / calls,
        crowd.failed,
        desk.twice,
    )


async def _drained(crowd: Callers, limit_s: float = 60.0) -> None:
    waited = 0.0
    while crowd.up and waited < limit_s:
        await asyncio.sleep(0.1)
        waited += 0.1
    await asyncio.sleep(0.5)


async def ramp(made: Rig, number: str) -> int:
    """The highest rate of the ramp at which every call was served."""
    best = 0
    for rate in RAMP:
        desk = Agents(*PHONES, made.asterisk, RAMP_TALK_S)
        crowd = Callers(*CARRIER, made.asterisk, number, again=False)
        desk.measuring = crowd.measuring = True
        loop = asyncio.get_running_loop()
        start = loop.time()
        for n in range(int(rate * RAMP_S)):
            await asyncio.sleep(max(0.0, start + n / rate - loop.time()))
            crowd.call()
        await asyncio.sleep(2.0)
        served = crowd.done / (rate * RAMP_S)
        failed, left = crowd.failed, crowd.up
        await _drained(crowd)
        crowd.close()
        desk.close()
        if failed or served < SERVED:
            sys.stderr.write(f"  {number}: {rate}/s: served {served:.0%}, failed {failed}, still up {left}\n")
            break
        best = rate
    return best


async def race(sizes: list[int], seconds: float, port_base: int) -> None:
    """Run everything and print the table."""
    async with rig(sizes, port_base) as made:
        rows: list[Result] = []
        for size in sizes:
            await made.sign_in(size, max(sizes))
            rows.append(await idle_time(made, "Tổng Đài", HOTLINE, size, seconds))
            await made.sign_in(0, max(sizes))
            rows.append(await idle_time(made, "app_queue", f"99{size}", size, seconds))
        show(rows)
        await made.sign_in(max(sizes), max(sizes))
        ours = await ramp(made, HOTLINE)
        await made.sign_in(0, max(sizes))
        theirs = await ramp(made, f"99{max(sizes)}")
        out = f"highest rate served in full, {max(sizes)} agents: Tổng Đài {ours}/s, app_queue {theirs}/s\n"
        sys.stdout.write(out)


def show(rows: list[Result]) -> None:
    """The table, with the ratio of each pair."""
    head = (
        f"{'':10} {'agents':>6} {'idle p50 ms':>12} {'p99 ms':>9} {'calls/s':>8} {'Asterisk ms':>12} {'daemon ms':>10}"
    )
    sys.stdout.write(head + f" {'failed':>7} {'twice':>6}\n")
    for row in rows:
        sys.stdout.write(
            f"{row.name:10} {row.agents:6} {row.p50_ms:12.1f} {row.p99_ms:9.1f} {row.calls_s:8.1f} "
            f"{row.asterisk_ms:12.2f} {row.daemon_ms:10.2f} {row.failed:7} {row.twice:6}\n"
        )
    for ours, theirs in zip(rows[::2], rows[1::2], strict=True):
        sys.stdout.write(
            f"ratio      {ours.agents:6} {ours.p50_ms / theirs.p50_ms:12.3f} {ours.p99_ms / theirs.p99_ms:9.3f}\n"
        )


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, nargs="+", default=[1, 20, 200])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--port-base", type=int, default=31060)
    options = parser.parse_args()
    asyncio.run(race(options.agents, options.seconds, options.port_base))


if __name__ == "__main__":
    main()
