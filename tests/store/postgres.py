"""A PostgreSQL server of our own for the length of a test run: in a folder of its own, on a Unix socket only.

It never runs as root: as root we become `postgres`, else `nobody`. It is stopped by its own pid.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.lab.get_tools import reachable

READY_LIMIT_S = 120
STOP_LIMIT_S = 60
ROOM_BYTES = 512 * 1024 * 1024
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=40", "shared_buffers=16MB")


def quick_folder() -> str | None:
    """Where files that need not outlive a test cost least: memory, where there is enough; None for the usual place."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM_BYTES
    return str(memory) if roomy else None


def binaries() -> Path:
    """The folder of PostgreSQL's server programs, the newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise RuntimeError("PostgreSQL's server programs are missing: `make setup TEST=1` gets them")
    return Path(on_path).resolve().parent


def _becoming() -> dict[str, object]:
    """Arguments for subprocess: who the server runs as."""
    if os.geteuid() != 0:
        return {}
    names = {row.pw_name for row in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Server:
    """A running server; `url(name)` is the SQLAlchemy URL of one of its databases."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://tongdai@/{name}?host={self.folder}"


def _wait_ready(server: Server, log: Path) -> None:
    until = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < until:
        lines = (server.folder / "data" / "postmaster.pid").read_text().splitlines() if _pid_file(server) else []
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return
        if server.process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-800:]}")


def _pid_file(server: Server) -> bool:
    return (server.folder / "data" / "postmaster.pid").exists()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(STOP_LIMIT_S)


@contextmanager
def running(*, durable: bool = False) -> Iterator[Server]:
    """Make a cluster, start it, and leave nothing behind. A durable one lies on the disk and waits for it."""
    becoming = _becoming()
    folder = Path(tempfile.mkdtemp(prefix="td-pg-", dir=None if durable else quick_folder()))
    programs = reachable(binaries() / "initdb", folder).parent if becoming else binaries()
    if becoming:
        os.chown(folder, becoming["user"], becoming["group"])  # type: ignore[arg-type]
    data, log = folder / "data", folder / "log"
    make = [programs / "initdb", "-D", data, "-U", "tongdai", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(make, check=True, capture_output=True, cwd=folder, timeout=READY_LIMIT_S, **becoming)
    options = [item for setting in ((QUICK[-2],) if durable else QUICK) for item in ("-c", setting)]
    start = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", *options]
    with log.open("wb") as out:
        process = subprocess.Popen(start, stdout=out, stderr=out, cwd=folder, **becoming)
    server = Server(folder, process)
    try:
        _wait_ready(server, log)
        yield server
    finally:
        _stop(process)
        shutil.rmtree(folder, ignore_errors=True)
