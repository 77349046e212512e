"""SIPp as phone, carrier and caller: one process each, bounded in calls and time, ended by its own pid.

What they saw is read back from SIPp's message log: `received()` gives the messages that came in, so that a test can
say which caller id a carrier was shown.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from controller.errors import TongdaiError
from controller.lab import scenarios, sip, tone

HOST = "127.0.0.1"
CALLS_MAX = 1000
LIFE_S = 300
RATE = 10
REGISTER_S = 3600
REGISTER_LIFE_S = 30
REGISTER_TRIES = 3
BOUND_S = 60.0
_LOGGED = re.compile(r"^-{20,} [^\n]*\n(?:UDP|TCP) message (sent|received)[^\n]*\n\n", re.MULTILINE)
_UDP_TABLE = Path("/proc/net/udp")


class SippError(TongdaiError):
    """SIPp is not installed, or one of its runs did not do what it was for."""


def find_sipp() -> str:
    """Return SIPp's path: the machine's, or the one setup unpacked; SippError says how to get it."""
    unpacked = Path(__file__).resolve().parents[2] / ".tools" / "bin"
    found = shutil.which("sipp") or shutil.which("sipp", path=unpacked)
    if found is None:
        raise SippError("sipp is not here: `make setup TEST=1` unpacks it (Debian's package is sip-tester)")
    return found


def free_port(host: str = HOST) -> int:
    """A UDP port nobody uses at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@dataclass
class Sipp:
    """One SIPp process. `server` is where it sends, `at` the address and port it is, `rate` its calls a second."""

    name: str
    scenario: str
    server: tuple[str, int]
    directory: Path
    at: tuple[str, int] = (HOST, 0)
    service: str = "service"
    password: str = ""
    calls: int = CALLS_MAX
    life_s: int = LIFE_S
    rate: int = RATE
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> Sipp:
        """Start the process and return once its SIP port is bound."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.at = (self.at[0], self.at[1] or free_port(self.at[0]))
        for old in (self._file("messages"), self._file("errors")):
            old.unlink(missing_ok=True)
        self._file("xml").write_text(self.scenario, encoding="utf-8")
        with self._file("screen").open("wb") as screen:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=screen, stderr=screen, cwd=self.directory
            )
        self._wait_bound()
        return self

    @property
    def pid(self) -> int:
        """The process id, 0 before the start."""
        return self._process.pid if self._process is not None else 0

    def running(self) -> bool:
        """Whether the process still lives."""
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float) -> int:
        """Wait for the end of its calls; 0 when every one went as the scenario says. SippError past the limit."""
        assert self._process is not None  # noqa: S101 - waiting before the start is a mistake of the caller
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise SippError(f"{self.name}: still at it after {seconds} s") from None

    def stop(self) -> None:
        """End the process at once; its calls vanish as those of a phone without power do."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def received(self, method: str = "") -> list[sip.Message]:
        """The messages that came in so far, in order; only those of one method when it is given."""
        return self._logged("received", method)

    def sent(self, method: str = "") -> list[sip.Message]:
        """The messages that went out so far."""
        return self._logged("sent", method)

    def errors(self) -> str:
        """What SIPp complained about."""
        path = self._file("errors")
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _logged(self, direction: str, method: str) -> list[sip.Message]:
        path = self._file("messages")
        if not path.exists():
            return []
        parts = _LOGGED.split(path.read_bytes().decode("utf-8", "replace"))
        found = [
            sip.parse(body.lstrip("\n").encode())
            for way, body in zip(parts[1::2], parts[2::2], strict=True)
            if way == direction
        ]
        return [message for message in found if message is not None and method in {"", message.method}]

    def _file(self, kind: str) -> Path:
        return self.directory.absolute() / f"{self.name}.{kind}"

    def _command(self) -> list[str]:
        host, port = self.at
        where = ["-i", host, "-p", str(port), "-mi", host, "-cp", str(free_port())]
        bounds = ["-m", str(self.calls), "-r", str(self.rate), "-timeout", f"{self.life_s}s", "-nostdin", "-aa"]
        who = ["-s", self.service, "-au", self.service, "-ap", self.password or "-"]
        logs = ["-trace_msg", "-message_file", str(self._file("messages"))]
        logs += ["-trace_err", "-error_file", str(self._file("errors"))]
        target = f"{self.server[0]}:{self.server[1]}"
        return [find_sipp(), target, "-sf", str(self._file("xml")), *where, *bounds, *who, *logs]

    def _wait_bound(self) -> None:
        host, port = self.at
        packed = int.from_bytes(socket.inet_aton(host), "little")
        mark = f" {packed:08X}:{port:04X} "
        deadline = time.monotonic() + BOUND_S
        while time.monotonic() < deadline and self.running():
            if mark in _UDP_TABLE.read_text(encoding="ascii"):
                return
            time.sleep(0.005)
        if not self.running() and self._process is not None and self._process.returncode == 0:
            return  # a single quick call may be over before we look
        raise SippError(f"{self.name}: sipp did not start: {self._file('screen').read_text(errors='replace')[-400:]}")


def register(server: tuple[str, int], user: str, password: str, at: tuple[str, int], directory: Path) -> None:
    """Register a phone that will take calls at `at`; SippError when Asterisk refuses it."""
    scenario = scenarios.registering(REGISTER_S)
    one = Sipp(f"{user}-register", scenario, server, directory, at, user, password, calls=1, life_s=REGISTER_LIFE_S)
    # A server that answers late answers every retransmission, and the scenario takes the second answer for a mistake.
    for _ in range(REGISTER_TRIES):
        try:
            if one.start().wait(REGISTER_LIFE_S) == 0:
                return
        finally:
            one.stop()
    raise SippError(f"{user}: registration failed: {one.errors()[-400:]}")


def phone(
    server: tuple[str, int], user: str, password: str, rule: scenarios.Taking, directory: Path, host: str = HOST
) -> Sipp:
    """A registered phone that takes calls; started."""
    at = (host, free_port(host))
    register(server, user, password, at, directory)
    return Sipp(user, scenarios.taking(rule), server, directory, at, user, password).start()


def carrier(name: str, at: tuple[str, int], server: tuple[str, int], rule: scenarios.Taking, directory: Path) -> Sipp:
    """An operator that takes calls at a trunk's address; started."""
    return Sipp(name, scenarios.taking(rule), server, directory, at, name).start()


def caller(
    name: str,
    server: tuple[str, int],
    rule: scenarios.Calling,
    directory: Path,
    *,
    at: tuple[str, int] = (HOST, 0),
    user: str = "",
    password: str = "",
) -> Sipp:
    """Somebody who dials once; started. A trunk's caller comes from the trunk's address (`at`)."""
    return Sipp(name, scenarios.calling(rule), server, directory, at, user or name, password, calls=1).start()


def tone_file(directory: Path, hz: int) -> str:
    """The µ-law file of a tone, made when it is not there."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory.absolute() / f"tone-{hz}.ul"
    if not path.exists():
        tone.write_tone(path, hz, seconds=10)
    return str(path)
