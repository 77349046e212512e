"""`tongdai check`: everything a call depends on, looked at from outside, one line each.

A line says `ok`, `warn` (calls go on, something is not as it should be) or `FAIL` (a call would suffer). Nothing is
changed anywhere, and a part that does not answer is a line, never an end of the look.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from controller import setup_file
from controller.cli_words import language
from controller.clock import SystemClock
from controller.core.setup import Setup, Way
from controller.errors import TongdaiError
from controller.lab.versions import Support, judge
from controller.settings import Bind, Settings
from controller.store.db import Database
from controller.store.setup_repo import SetupRepo

TIME_LIMIT_S: Final = 3.0
RESOLVE_SLOW_S: Final = 1.0
SUFFIXES: Final = ("wav", "sln", "sln16", "gsm", "ulaw", "alaw", "g722", "wav16")
CONTEXTS: Final = ("tongdai-inbound", "tongdai-outbound", "tongdai-fallback", "tongdai-emergency")
MODULES: Final = (
    "app_dial", "app_playback", "app_stack", "app_stasis", "bridge_simple", "chan_pjsip", "func_callerid",
    "func_channel", "func_strings", "func_timeout", "pbx_config", "res_agi", "res_ari_applications",
    "res_ari_asterisk", "res_ari_bridges", "res_ari_channels", "res_ari_endpoints", "res_ari_events",
    "res_ari_playbacks", "res_ari_recordings", "res_musiconhold", "res_pjsip", "res_pjsip_session",
    "res_rtp_asterisk", "res_stasis", "res_stasis_answer", "res_stasis_playback", "res_stasis_recording",
)  # fmt: skip
"""Modules of Asterisk without which a call of ours cannot be answered, told something, joined or recorded."""

OK, WARN, FAIL = "ok", "warn", "FAIL"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found about one part: the word, the part and a sentence (English, Vietnamese)."""

    word: str
    part: str
    english: str
    vietnamese: str = ""

    def __str__(self) -> str:
        said = self.vietnamese if self.vietnamese and language() == "vi" else self.english
        return f"{self.word:<4}  {self.part:<12} {said}"


class AskError(Exception):
    """Asterisk did not give what was asked; `status` is 0 when it did not answer at all."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def run_check(settings: Settings, say: Callable[[str], None]) -> int:
    """Look at everything and say a line about each; returns 1 when a call would suffer, else 0."""
    setup = Setup()
    worst = OK
    database, stored = await _database(settings)
    if stored is not None:
        setup = stored
    groups = (
        [database],
        await asyncio.to_thread(lambda: list(_asterisk(settings, setup))),
        [await _port("agi", settings.agi.bind), await asyncio.to_thread(_daemon, settings.http.bind)],
        list(_greetings(setup, Path(settings.asterisk.sounds_dir))),
        [await asyncio.to_thread(_host_name), _recording(settings, setup)],
    )
    for found in (row for group in groups for row in group):
        say(str(found))
        worst = FAIL if FAIL in {found.word, worst} else worst
    return 1 if worst == FAIL else 0


async def _database(settings: Settings) -> tuple[Found, Setup | None]:
    """Open the books and read the setup in force."""
    try:
        database = Database(settings.database.url)
        try:
            stored = await SetupRepo(database, SystemClock()).current()
            setup = setup_file.parse(stored.text, f"version {stored.version}")
        finally:
            await database.close()
    except TongdaiError as error:
        return Found(FAIL, "database", str(error).splitlines()[0]), None
    if stored.version == 0:
        return Found(FAIL, "database", "no setup was applied yet", "chưa áp dụng cấu hình nào"), setup
    said = f"setup version {stored.version}: {len(setup.hotlines)} hotlines, {len(setup.queues)} queues"
    return Found(OK, "database", said, f"cấu hình phiên bản {stored.version}"), setup


def _asterisk(settings: Settings, setup: Setup) -> Iterator[Found]:
    """Ask Asterisk about itself by ARI; when it does not answer there is one line and no more."""
    ari = Ari(settings)
    try:
        version = str(ari.get("asterisk/info?only=system")["system"]["version"])
    except AskError as error:
        refused = error.status in {401, 403}
        part = "ari user" if refused else "asterisk"
        yield Found(FAIL, part, f"{settings.ari.url}: {error}")
        return
    verdict = judge(f"Asterisk {version}")
    word = {Support.FULL: OK, Support.REDUCED: WARN, Support.REFUSED: FAIL}[verdict.support]
    yield Found(word, "asterisk", f"{verdict.version} ({verdict.support.value}) {verdict.reason}".rstrip())
    yield Found(OK, "ari user", f"{settings.ari.user} at {settings.ari.url}")
    for look in (_modules, _application, _contexts):
        try:
            yield look(ari, settings)
        except AskError as error:
            yield Found(FAIL, look.__name__.strip("_"), str(error))
    yield from _endpoints(ari, setup)


class Ari:
    """Questions to Asterisk's HTTP server, nothing but GET."""

    def __init__(self, settings: Settings) -> None:
        pair = f"{settings.ari.user}:{settings.ari.password}".encode()
        self._head = f"Basic {base64.b64encode(pair).decode()}"
        self._url = settings.ari.url

    def get(self, path: str) -> Any:
        """Read one resource; AskError when it is not given."""
        request = urllib.request.Request(f"{self._url}/ari/{path}")  # noqa: S310 - http(s), checked by settings
        request.add_header("Authorization", self._head)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIME_LIMIT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AskError(error.code, f"{error.code} {error.reason}") from None
        except (OSError, ValueError) as error:
            raise AskError(0, str(getattr(error, "reason", error))) from None


def _modules(ari: Ari, _settings: Settings) -> Found:
    running = {row["name"].removesuffix(".so") for row in ari.get("asterisk/modules") if row["status"] == "Running"}
    missing = [name for name in MODULES if name not in running]
    if missing:
        return Found(FAIL, "modules", f"not running: {', '.join(missing)}", f"không chạy: {', '.join(missing)}")
    return Found(OK, "modules", f"{len(MODULES)} wanted, all run", f"cần {len(MODULES)}, đều chạy")


def _application(ari: Ari, settings: Settings) -> Found:
    """The Stasis application is there as long as a daemon is connected."""
    try:
        ari.get(f"applications/{quote(settings.ari.app, safe='')}")
    except AskError as error:
        if error.status != 404:  # noqa: PLR2004 - HTTP's not found
            raise
        said = f"no daemon is connected as {settings.ari.app}: callers get the fallback of their hotline"
        return Found(FAIL, "application", said, f"chưa có tiến trình nào kết nối với tên {settings.ari.app}")
    return Found(OK, "application", settings.ari.app)


def _contexts(ari: Ari, _settings: Settings) -> Found:
    """Ask the dialplan itself which of our contexts it knows."""
    missing = []
    for name in CONTEXTS:
        asked = quote(f"DIALPLAN_EXISTS({name})", safe="")
        try:
            value = ari.get(f"asterisk/variable?variable={asked}").get("value")
        except AskError:
            said = "cannot be asked: load func_dialplan"
            return Found(WARN, "dialplan", said, "không hỏi được: hãy nạp func_dialplan")
        if value != "1":
            missing.append(name)
    if missing:
        said = f"not included: {', '.join(missing)} (tongdai render asterisk)"
        return Found(FAIL, "dialplan", said, f"chưa include: {', '.join(missing)} (tongdai render asterisk)")
    return Found(OK, "dialplan", ", ".join(CONTEXTS))


def _endpoints(ari: Ari, setup: Setup) -> Iterator[Found]:
    """Every trunk has an endpoint that is not offline; agents' phones come and go, but their endpoints must exist."""
    try:
        states = {row["resource"]: row["state"] for row in ari.get("endpoints/PJSIP")}
    except AskError as error:
        states = {}
        if error.status != 404:  # noqa: PLR2004 - no endpoint at all is told as not found
            yield Found(FAIL, "endpoints", str(error))
            return
    for trunk in setup.trunks:
        state = states.get(trunk.endpoint)
        if not trunk.enabled:
            yield Found(WARN, "trunk", f"{trunk.name}: switched off", f"{trunk.name}: đang tắt")
        elif state is None:
            yield Found(FAIL, "trunk", f"{trunk.name}: no endpoint {trunk.endpoint}", f"{trunk.name}: thiếu endpoint")
        else:
            yield Found(FAIL if state == "offline" else OK, "trunk", f"{trunk.name}: {state}")
    missing = [agent.name for agent in setup.agents if agent.endpoint not in states]
    if missing:
        said = f"no endpoint for {', '.join(missing)}"
        yield Found(FAIL, "phones", said, f"thiếu endpoint của {', '.join(missing)}")
    elif setup.agents:
        yield Found(OK, "phones", f"{len(setup.agents)} endpoints")


async def _port(part: str, bind: Bind) -> Found:
    """Whether anybody listens there."""
    try:
        async with asyncio.timeout(TIME_LIMIT_S):
            _, writer = await asyncio.open_connection(bind.host, bind.port)
    except (OSError, TimeoutError):
        return Found(FAIL, part, f"nobody listens on {bind}", f"không có ai nghe ở {bind}")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Found(OK, part, f"listens on {bind}", f"đang nghe ở {bind}")


def _daemon(bind: Bind) -> Found:
    """Ask the daemon whether it is ready."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{bind}/readyz", timeout=TIME_LIMIT_S):
            return Found(OK, "daemon", f"ready at {bind}", f"sẵn sàng ở {bind}")
    except urllib.error.HTTPError as error:
        with error:
            try:
                detail = str(json.load(error).get("detail", error.code))
            except (ValueError, AttributeError):
                detail = str(error.code)
        return Found(FAIL, "daemon", f"not ready: {detail}", f"chưa sẵn sàng: {detail}")
    except OSError:
        return Found(FAIL, "daemon", f"does not run at {bind}", f"không chạy ở {bind}")


def sounds_of(setup: Setup) -> tuple[str, ...]:
    """Every sound file the setup plays, once, in the order of the setup."""
    ways: list[Way] = [row.closed for row in setup.hotlines]
    names: list[str] = []
    for menu in setup.menus:
        names.append(menu.play)
        ways += [way for _, way in menu.keys] + [menu.on_timeout, menu.on_invalid]
    for queue in setup.queues:
        ways += [queue.closed, queue.on_full, queue.on_max_wait, queue.on_no_agent]
    return tuple(dict.fromkeys(name for name in [*names, *(way.play for way in ways)] if name))


def _greetings(setup: Setup, folder: Path) -> Iterator[Found]:
    """Every sound file is there, in the language of the setup or in none."""
    languages = dict.fromkeys((setup.defaults.language, "en"))
    for name in sounds_of(setup):
        places = [folder / language_dir / name for language_dir in languages] + [folder / name]
        if not any(place.with_name(f"{place.name}.{suffix}").is_file() for place in places for suffix in SUFFIXES):
            yield Found(FAIL, "greeting", f"{name}: no such file in {folder}", f"{name}: không có tệp trong {folder}")
        else:
            yield Found(OK, "greeting", name)


def _host_name() -> Found:
    """Asterisk looks up its own host name at each session: a slow answer there makes every call slow."""
    name = socket.gethostname()
    began = time.monotonic()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        said = f"{name} does not resolve: put it into /etc/hosts, or each call waits seconds"
        return Found(FAIL, "host name", said, f"{name} không phân giải được: hãy thêm vào /etc/hosts")
    took_s = time.monotonic() - began
    if took_s > RESOLVE_SLOW_S:
        return Found(FAIL, "host name", f"{name} takes {took_s:.1f} s to resolve: put it into /etc/hosts")
    return Found(OK, "host name", name)


def _recording(settings: Settings, setup: Setup) -> Found:
    """ARI answers 500 to a recording whose directory is missing."""
    folder = Path(settings.recording.dir)
    if folder.is_dir():
        return Found(OK, "recording", str(folder))
    records = any(row.record for row in setup.queues) or any(row.record_outbound for row in setup.hotlines)
    said = f"{folder} does not exist (setting recording.dir)"
    return Found(FAIL if records else WARN, "recording", said, f"không có {folder} (thiết lập recording.dir)")
