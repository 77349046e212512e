"""Two daemons on one PostgreSQL beside one Asterisk: the lab's own, and another that the test looks after."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from tests.faults import processes, versions
from tests.faults.rude_proxy import RudeProxy
from tests.faults.ward import Ward
from tests.faults.wire import Wire
from tests.live.harness import NO_TLS, REPOSITORY, Api, Lab, until
from tests.store.postgres import Server

AGI_1, PROXY_2, AGI_2, HTTP_2, PROXY_1 = 2, 4, 5, 6, 7
ASK_S = 0.01
KNOWN_S = 2.0
"""A leader looks for a standby every half second, a busy one a little later."""
START_S = 60.0
NAMES = ("a", "b")
BOOKS = "pair"
"""The name of their database."""


@dataclass
class Pair(Lab):
    """A lab with a second daemon. `wires` lead to the database and `proxies` to Asterisk, by the name of the daemon."""

    wires: dict[str, Wire] = field(default_factory=dict)
    proxies: dict[str, RudeProxy] = field(default_factory=dict)
    server: Server | None = None
    other: subprocess.Popen[bytes] | None = None
    code: Path = REPOSITORY
    """Where the second daemon's program lies."""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.base + (3 if name == 'a' else HTTP_2)}"

    def daemon(self, name: str) -> int:
        """The pid of one of the two, 0 while there is none."""
        if name == "a":
            return self.pid("daemon")
        return self.other.pid if self.other is not None and self.other.poll() is None else 0

    def database(self, name: str, template: str) -> str:
        """The same database by this daemon's own line."""
        return f"{template.partition('?')[0]}?host={self.wires[name].folder}"

    @cached_property
    def settings(self) -> dict[str, str]:
        """The environment of the second daemon, whatever its program."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TONGDAI_")}
        environ |= {
            name: value for name, value in processes.environment(self.pid("daemon")).items() if "TONGDAI_" in name
        }
        return environ | {
            "TONGDAI_ARI__URL": self.proxies["b"].url,
            "TONGDAI_AGI__BIND": f"127.0.0.1:{self.base + AGI_2}",
            "TONGDAI_STANDBY__AGI": f"127.0.0.1:{self.base + AGI_1}",
            "TONGDAI_HTTP__BIND": f"127.0.0.1:{self.base + HTTP_2}",
            "TONGDAI_DATABASE__URL": self.database("b", environ["TONGDAI_DATABASE__URL"]),
        }

    def environment(self, code: Path) -> dict[str, str]:
        """The environment in which the program in `code` runs as the second daemon."""
        known = {name: value for name, value in self.settings.items() if versions.knows(code, name)}
        return known | {"PYTHONPATH": str(code)}

    def begin_other(self) -> None:
        """Start the second daemon, as a person starts it beside the first."""
        log = self.directory / "daemon2.log"
        log.touch(mode=0o600)
        with log.open("ab") as out:
            self.other = subprocess.Popen(
                [sys.executable, "-m", "controller", "serve"], cwd=self.directory, stdin=subprocess.DEVNULL,
                env=self.environment(self.code), stdout=out, stderr=out,
            )  # fmt: skip

    @asynccontextmanager
    async def books(self) -> AsyncIterator[asyncpg.Connection]:
        """A session of somebody else in their database."""
        assert self.server is not None
        session = await asyncpg.connect(host=str(self.server.folder), user="tongdai", database=BOOKS)
        try:
            yield session
        finally:
            await session.close()

    def signal(self, name: str, sign: signal.Signals) -> int:
        """Send a signal to one of the two; its pid."""
        pid = self.daemon(name)
        os.kill(pid, sign)
        return pid

    @asynccontextmanager
    async def visited(self) -> AsyncIterator[None]:
        """Within this the two may be asked."""
        async with httpx.AsyncClient(timeout=1.0, trust_env=False, verify=NO_TLS) as self._client:
            yield

    async def role(self, name: str) -> str:
        """`leader` once it serves calls, `standby` once it is warm enough to say so, else empty."""
        try:
            found = await self._client.get(f"{self.url(name)}/readyz")
        except httpx.TransportError:
            return ""
        role = str(found.json().get("role", ""))
        return role if found.status_code == 200 or role == "standby" else ""

    async def leads(self, name: str, seconds: float = START_S) -> float:
        """Wait until this one serves calls; the moment."""
        deadline = time.monotonic() + seconds
        while await self.role(name) != "leader":
            assert time.monotonic() < deadline, f"{name} does not lead within {seconds} s\n{self.output()}"
            await asyncio.sleep(ASK_S)
        return time.monotonic()

    async def whole(self) -> str:
        """Wait until one leads, the other stands by and the leader knows of it; the name of the leader."""
        leader = await self.both_there()
        await asyncio.sleep(KNOWN_S)
        return leader

    async def both_there(self) -> str:
        """Wait until one leads and the other stands by; the name of the leader."""
        for wire in self.wires.values():
            wire.polite()
        if not self.daemon("b"):
            self.begin_other()

        async def both() -> str:
            roles = {await self.role(name): name for name in NAMES}
            return roles["leader"] if len(roles) == 2 and "" not in roles else ""

        return await until(both, "one leads and one stands by", START_S)

    async def ended(self, name: str, pid: int) -> int:
        """Wait until this process of one of the two has ended, mend its line, have it started again; its exit code."""
        if name == "a":
            code = await self.gone(pid)
            self.wires[name].polite()
            self.keep()
            return code
        code = await self.other_gone()
        self.wires[name].polite()
        self.begin_other()
        return code

    @asynccontextmanager
    async def unattended(self) -> AsyncIterator[None]:
        """Nobody starts a daemon again that ended, so that its exit code can be read (`ended`)."""
        self.keep(asleep=True)
        try:
            yield
        finally:
            self.keep()

    def keep(self, *, asleep: bool = False) -> None:
        """Have somebody start the first daemon again whenever it ended, or nobody."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP if asleep else signal.SIGCONT)

    async def ready(self, api: Api, seconds: float = START_S) -> None:
        """Wait until one of the two serves calls, and ask that one from now on."""

        async def ask() -> bool:
            for name in NAMES:
                if await self.role(name) == "leader":
                    api.http.base_url = httpx.URL(self.url(name))
                    return True
            return False

        await until(ask, "somebody leads", seconds)

    async def both_ended(self) -> None:
        """Tell both to stop, the standby first, and wait for it; nobody may start the first again meanwhile."""
        leader = await self.both_there()
        for name in sorted(NAMES, key=lambda name: name == leader):
            pid = self.signal(name, signal.SIGTERM)
            assert await (self.gone(pid) if name == "a" else self.other_gone()) == 0

    async def other_gone(self) -> int:
        """Wait until the second daemon has ended; its exit code."""
        assert self.other is not None
        return await asyncio.to_thread(self.other.wait, START_S)

    async def gone(self, pid: int, seconds: float = START_S) -> int:
        """Wait until a process has ended whose parent does not ask; its exit code."""

        async def ended() -> bool:
            return not processes.is_alive(pid)

        await until(ended, f"the process {pid} ends", seconds)
        code = processes.exit_code(pid)
        assert code is not None
        return code

    def stop(self) -> None:
        code = 0
        if self.other is not None and self.other.poll() is None:
            self.other.send_signal(signal.SIGCONT)
            self.other.terminate()
            code = self.other.wait(START_S)
        super().stop()
        for wire in self.wires.values():
            wire.stop()
        assert code in (0, -signal.SIGTERM), code  # told before it could listen to being told


@dataclass
class Twins(Ward):
    """The floor beside two daemons."""

    @property
    def pair(self) -> Pair:
        assert isinstance(self.lab, Pair)
        return self.lab

    async def handed_to(self, name: str, since: float, seconds: float = START_S) -> float:
        """Wait until the other serves calls and ask it from now on; how long that took since the fault."""
        took = await self.pair.leads(name, seconds) - since
        self.api.http.base_url = httpx.URL(self.pair.url(name))
        return took

    async def records(self, shown: str) -> list[Any]:
        """Every record of this caller in the history since the test began."""
        calls = await self.api.calls("ended", since=self.began)
        return [row for row in calls if (row["caller"] or "")[-9:] == shown[-9:]]
