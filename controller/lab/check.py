"""`tongdai check`: everything a call depends on, looked at from outside, one line each.

A line says `ok`, `warn` (calls go on, something is not as it should be) or `FAIL` (a call would suffer). Nothing is
changed anywhere, and a part that does not answer is a line, never an end of the look.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from controller import setup_file
from controller.clock import SystemClock
from controller.core.setup import Setup, Way
from controller.errors import TongdaiError
from controller.lab.check_asterisk import FAIL, OK, TIME_LIMIT_S, WARN, Ari, AskError, Found, look_at_asterisk
from controller.lab.lint_config import PASSWORD_CHARS_MIN, lint_config, strong
from controller.settings import Bind, Settings
from controller.store.db import Database
from controller.store.setup_repo import SetupRepo

RESOLVE_SLOW_S: Final = 1.0
NAMES_MAX: Final = 5
CONFIGURATION: Final = ("asterisk.conf", "manager.conf", "http.conf", "ari.conf", "pjsip.conf", "modules.conf")
PROMPTS: Final = (
    "tongdai-fallback", "tongdai-emergency-failed", "tongdai-voicemail-prompt", "tongdai-talk-warning",
    "tongdai-refused-unavailable", "tongdai-feature-available",
)  # fmt: skip
"""Of our own prompts, one of each kind: they are copied to an Asterisk together, or forgotten together."""
SUFFIXES: Final = ("wav", "sln", "sln16", "gsm", "ulaw", "alaw", "g722", "wav16")


async def run_check(settings: Settings, say: Callable[[str], None]) -> int:
    """Look at everything and say a line about each; returns 1 when a call would suffer, else 0."""
    setup = Setup()
    worst = OK
    database, stored = await _database(settings)
    if stored is not None:
        setup = stored
    groups = (
        [database],
        await asyncio.to_thread(lambda: list(look_at_asterisk(settings, setup))),
        [await _port("agi", settings.agi.bind), await asyncio.to_thread(_daemon, settings.http.bind)],
        await asyncio.to_thread(lambda: list(_files(settings, setup))),
        [await asyncio.to_thread(_host_name)],
        _passwords(setup),
        _carriers(setup),
        await asyncio.to_thread(lambda: list(_configuration(settings, setup))),
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
            setup = setup_file.parse_in_force(stored.text, f"version {stored.version}")
        finally:
            await database.close()
    except TongdaiError as error:
        return Found(FAIL, "database", str(error).splitlines()[0]), None
    if stored.version == 0:
        return Found(FAIL, "database", "no setup was applied yet", "chưa áp dụng cấu hình nào"), setup
    said = f"setup version {stored.version}: {len(setup.hotlines)} hotlines, {len(setup.queues)} queues"
    return Found(OK, "database", said, f"cấu hình phiên bản {stored.version}"), setup


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


def _files(settings: Settings, setup: Setup) -> Iterator[Found]:
    """Look for greetings and the place of recordings, where the settings say or else where Asterisk says."""
    ari = Ari(settings)
    sounds, recordings = settings.asterisk.sounds_dir, settings.recording.dir
    try:
        sounds = sounds or f"{ari.variable('ASTDATADIR')}/sounds"
        recordings = recordings or f"{ari.variable('ASTSPOOLDIR')}/recording"
    except AskError:
        said = "looked for nowhere: neither the settings nor Asterisk say where they are"
        yield Found(WARN, "files", said, "không biết tìm ở đâu: cả thiết lập lẫn Asterisk đều không cho biết")
        return
    yield from _greetings(setup, Path(sounds))
    yield _recording(setup, Path(recordings))


def _greetings(setup: Setup, folder: Path) -> Iterator[Found]:
    """Every sound file is there, in the language of the setup or in none, and so are our own prompts."""
    missing = [name for name in sounds_of(setup) if not _spoken(setup, folder, name)]
    if not all(_spoken(setup, folder, name) for name in PROMPTS):
        said = f"our own are not all in {folder}: copy or link sounds/vi and sounds/en there"
        yield Found(FAIL, "prompts", said, f"chưa có đủ trong {folder}: hãy chép sounds/vi và sounds/en vào đó")
    for name in missing:
        yield Found(FAIL, "greeting", f"{name}: no such file in {folder}", f"{name}: không có tệp trong {folder}")
    if not missing:
        yield Found(OK, "greeting", f"{len(sounds_of(setup))} in {folder}", f"{len(sounds_of(setup))} trong {folder}")


def _spoken(setup: Setup, folder: Path, name: str) -> bool:
    places = [folder / language / name for language in (setup.defaults.language, "en", "")]
    return any(place.with_name(f"{place.name}.{suffix}").is_file() for place in places for suffix in SUFFIXES)


def _carriers(setup: Setup) -> list[Found]:
    """A table of carriers that was named and cannot be used: calls go on, by a table nobody chose."""
    table = setup.carriers_from
    if not table.trouble:
        return []
    said = f"the {table.origin} table {table.version} stands in: {table.trouble}"
    return [Found(WARN, "carriers", said, f"đang dùng bảng {table.origin} {table.version}: {table.trouble}")]


def _configuration(settings: Settings, setup: Setup) -> Iterator[Found]:
    """Open doors in Asterisk's own files, where they stand on this machine and we may read them."""
    try:
        folder = Path(Ari(settings).variable("ASTETCDIR"))
    except AskError:
        return
    files = {}
    for name in CONFIGURATION:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            files[name] = (folder / name).read_text(encoding="utf-8")
    found = lint_config(files, [agent.extension for agent in setup.agents if agent.extension])
    for name, findings in found.items():
        more = f" (+{len(findings) - 1})" if len(findings) > 1 else ""
        yield Found(WARN, "security", f"{folder / name}:{findings[0].line}: {findings[0].text}{more}")
    if files and not found:
        said = f"nothing open in {len(files)} files of {folder}"
        yield Found(OK, "security", said, f"không có gì hở trong {len(files)} tệp của {folder}")


def _passwords(setup: Setup) -> list[Found]:
    """Phones that register are tried by the whole internet: a password somebody chose is soon found."""
    weak = [row.name for row in setup.agents if row.phone.user and not strong(row.phone.password)]
    if not weak:
        return []
    shown = ", ".join(weak[:NAMES_MAX]) + (" …" if len(weak) > NAMES_MAX else "")
    said = f"passwords of {len(weak)} phones can be guessed ({shown}): at least {PASSWORD_CHARS_MIN} random characters"
    return [
        Found(
            WARN,
            "passwords",
            said,
            f"mật khẩu của {len(weak)} máy dễ đoán ({shown}): cần từ {PASSWORD_CHARS_MIN} ký tự ngẫu nhiên",
        )
    ]


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


def _recording(setup: Setup, folder: Path) -> Found:
    """ARI answers 500 to a recording whose directory is missing."""
    if folder.is_dir():
        return Found(OK, "recording", str(folder))
    records = any(row.record for row in setup.queues) or any(row.record_outbound for row in setup.hotlines)
    said = f"{folder} does not exist (setting recording.dir)"
    return Found(FAIL if records else WARN, "recording", said, f"không có {folder} (thiết lập recording.dir)")
