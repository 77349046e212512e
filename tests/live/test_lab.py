"""The lab as a person and an acceptance check meet it: its notice, its demonstration, its children, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live.floor import Floor
from tests.live.harness import REPOSITORY, Lab, free_base, until
from tests.live.setups import HOTLINE, hotline, queue, whole

pytestmark = pytest.mark.live

SETUP = whole(hotline(queue="sales"), queue("sales", "team"), groups={"team": ("a1",)})
UP_S = 180.0
END_S = 60.0


def test_the_notice_says_where_everything_is_and_to_its_owner_alone(lab: Lab) -> None:
    path = lab.directory / "lab.json"
    assert path.stat().st_mode & 0o777 == 0o600
    info = json.loads(path.read_text())
    assert info["sip"] == f"127.0.0.1:{lab.base}"
    assert info["ari"] == f"http://127.0.0.1:{lab.base + 1}"
    assert info["agi"] == f"127.0.0.1:{lab.base + 2}"
    assert info["http"] == f"http://127.0.0.1:{lab.base + 3}"
    assert set(info["pids"]) == {"asterisk", "daemon"}
    assert all(Path(f"/proc/{pid}").exists() for pid in info["pids"].values())


def test_nothing_listens_beyond_loopback(lab: Lab) -> None:
    """But for the two sockets pjproject's DNS client opens at random ports: it asks nobody, and cannot be told."""
    beyond = {name: [row for row in _sockets(pid) if not _loopback(row[1])] for name, pid in lab.info["pids"].items()}
    assert beyond["daemon"] == []
    assert [table for table, _, port in beyond["asterisk"] if port >= 32768] in ([], ["udp", "udp6"])
    assert [row for row in beyond["asterisk"] if row[2] < 32768] == []


def _sockets(pid: int) -> list[tuple[str, str, int]]:
    """What a process has bound or connected: the kernel's table, the local address as it stands there, the port."""
    mine = _open(pid)
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            if f"socket:[{fields[9]}]" in mine:
                found.append((table, address, int(port, 16)))
    return found


def _open(pid: int) -> set[str]:
    """What a process has open; it opens and closes while we look."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(link.readlink()))
    return found


def _loopback(address: str) -> bool:
    return address.endswith("7F") if len(address) == 8 else address.endswith(("01000000", "0100007F"))


async def test_a_daemon_that_dies_is_back_and_its_pid_is_told(floor: Floor) -> None:
    old = floor.lab.kill("daemon")

    async def another() -> bool:
        return floor.lab.pid("daemon") not in {0, old}

    await until(another, "another daemon")
    await floor.lab.ready(floor.api)


async def test_a_second_controller_is_told_apart_and_the_talk_goes_on(floor: Floor) -> None:
    await floor.desk("a1")
    call, row = await floor.talk(HOTLINE)
    base = free_base()
    elsewhere = {"TONGDAI_HTTP__BIND": f"127.0.0.1:{base}", "TONGDAI_AGI__BIND": f"127.0.0.1:{base + 1}"}
    environ = _environ(floor.lab.pid("daemon")) | elsewhere
    command = (sys.executable, "-m", "controller", "serve")
    second = await asyncio.create_subprocess_exec(*command, env=environ, cwd=REPOSITORY)
    try:
        # The second takes the lead, the first ends with 75, is started again by the lab and takes the lead back.
        assert await asyncio.wait_for(second.wait(), 60) == 75
    finally:
        if second.returncode is None:
            second.kill()
            await second.wait()
    await floor.lab.ready(floor.api)
    again = await floor.live(state="talking")
    assert (again["id"], again["agent"]) == (row["id"], "a1")
    assert not call.ended.is_set()
    await call.hangup()
    await floor.ended()


def _environ(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `tongdai lab` prints with its demonstration, from its start to Ctrl-C."""
    directory = tmp_path_factory.mktemp("demo")
    base = free_base()
    setup = directory / "setup.toml"
    example = (REPOSITORY / "examples/setup.toml").read_text(encoding="utf-8")
    setup.write_text(example.replace(":5070", f":{base + 6}"), encoding="utf-8")
    command = [sys.executable, "-m", "controller", "lab", "--dir", str(directory / "lab"), "--setup", str(setup)]
    out = directory / "out"
    with out.open("wb") as stream:
        process = subprocess.Popen(
            [*command, "--port-base", str(base), "--set", "agi.limit_ms=2500"],
            cwd=REPOSITORY,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + UP_S
        while "The lab is up" not in out.read_text():
            assert process.poll() is None, out.read_text()
            assert time.monotonic() < deadline, out.read_text()
            time.sleep(0.1)
        pids = json.loads((directory / "lab/lab.json").read_text())["pids"].values()
        process.send_signal(signal.SIGINT)
        assert process.wait(END_S) == 0
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        assert not (directory / "lab/lab.json").exists()
    finally:
        process.kill()
        process.wait()
    return out.read_text()


def test_the_demonstration_tells_the_story_of_both_calls(shown: str) -> None:
    for word in ("Story of the inbound call", "CallQueued", "CallOffered", "CallAnswered", "rests until"):
        assert word in shown, shown
    for word in ("Story of the outbound call", "OutboundPicked", "ReplyTrunks", "ANSWER"):
        assert word in shown, shown
    assert "left out" not in shown
    assert "CommandFailed" not in shown


def test_it_says_where_to_look_and_how_to_dial_in(shown: str) -> None:
    for word in ("lab.json", "/metrics", "user lab-customer, password ", "dial a hotline: +842473001001", "*40"):
        assert word in shown, shown


def test_a_lab_on_taken_ports_is_refused_in_one_line(lab: Lab, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "controller", "lab", "--dir", str(tmp_path), "--no-demo"]
    command += ["--setup", str(lab.directory / "setup.toml"), "--port-base", str(lab.base)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"port {lab.base} is taken" in done.stderr


def test_a_setting_of_the_daemon_that_is_none_is_refused_in_one_line(lab: Lab, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "controller", "lab", "--dir", str(tmp_path), "--set", "ari=http://127.0.0.1:1"]
    command += ["--setup", str(lab.directory / "setup.toml"), "--port-base", str(lab.base + 10)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "SECTION.KEY=VALUE" in done.stderr


def test_a_bad_setup_is_refused_with_its_line_before_anything_starts(tmp_path: Path) -> None:
    setup = tmp_path / "setup.toml"
    setup.write_text('[[hotline]]\nnumber = "+842473001001"\nqueue = "nowhere"\n', encoding="utf-8")
    command = [sys.executable, "-m", "controller", "lab", "--dir", str(tmp_path / "lab"), "--setup", str(setup)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"{setup}:3: " in done.stderr
    assert "nowhere" in done.stderr
    assert not (tmp_path / "lab/lab.json").exists()
