"""The half of `tongdai check` that asks Asterisk about itself, by ARI and with GET alone."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from controller.cli_words import language
from controller.core import ids
from controller.core.setup import Setup
from controller.lab.versions import Support, judge
from controller.settings import Settings

TIME_LIMIT_S: Final = 3.0
INBOUND: Final = "tongdai-inbound"
OUTBOUND: Final = "tongdai-outbound"
MODULES: Final = (
    "app_dial", "app_playback", "app_stack", "app_stasis", "bridge_builtin_interval_features", "bridge_simple",
    "chan_pjsip", "func_callerid", "func_channel", "func_db", "func_global", "func_strings", "func_timeout",
    "pbx_config", "res_agi", "res_ari_applications", "res_ari_asterisk", "res_ari_bridges", "res_ari_channels",
    "res_ari_endpoints", "res_ari_events", "res_ari_playbacks", "res_ari_recordings", "res_musiconhold",
    "res_pjsip", "res_pjsip_session", "res_rtp_asterisk", "res_stasis", "res_stasis_answer", "res_stasis_playback",
    "res_stasis_recording",
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


def look_at_asterisk(settings: Settings, setup: Setup) -> Iterator[Found]:
    """Ask Asterisk about itself by ARI; when it does not answer there is one line and no more."""
    ari = Ari(settings)
    try:
        info = ari.get("asterisk/info?only=system,config")
        version = str(info["system"]["version"])
    except AskError as error:
        refused = error.status in {401, 403}
        part = "ari user" if refused else "asterisk"
        yield Found(FAIL, part, f"{settings.ari.url}: {error}")
        return
    verdict = judge(f"Asterisk {version}")
    word = {Support.FULL: OK, Support.REDUCED: WARN, Support.REFUSED: FAIL}[verdict.support]
    yield Found(word, "asterisk", f"{verdict.version} ({verdict.support.value}) {verdict.reason}".rstrip())
    yield Found(OK, "ari user", f"{settings.ari.user} at {settings.ari.url}")
    yield from _system_name(str(info.get("config", {}).get("name") or ""))
    for look in (_modules, _application, _dialplan):
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

    def variable(self, name: str) -> str:
        """Read a global of the dialplan, or a directory Asterisk was built with; empty when there is none."""
        try:
            return str(self.get(f"asterisk/variable?variable={quote(name, safe='')}").get("value") or "")
        except AskError as error:
            if error.status != 404:  # noqa: PLR2004 - an unknown global is told as not found
                raise
            return ""


def _system_name(name: str) -> Iterator[Found]:
    """Channel ids begin with it, and what we make for a call is named after the caller's channel (core.ids)."""
    if ids.parse(ids.bridge(f"{name}-1700000000.1")) is None:
        shown = "".join(char if char.isprintable() else "?" for char in name[:80])
        said = f"systemname {shown!r} in asterisk.conf hides calls: letters, digits, _ and - only, at most 53 of them"
        vietnamese = f"systemname {shown!r} trong asterisk.conf: chỉ dùng chữ cái, chữ số, _ và -, tối đa 53 ký tự"
        yield Found(FAIL, "system name", said, f"{vietnamese}, nếu không sẽ không nhận ra cuộc gọi nào")


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


def _dialplan(ari: Ari, settings: Settings) -> Found:
    """Our contexts stand in one file with the globals they read: who has the globals has the contexts."""
    agi, app = ari.variable("TD_AGI"), ari.variable("TD_APP")
    if not agi or not app:
        said = "our contexts are not included (tongdai render asterisk)"
        return Found(FAIL, "dialplan", said, "chưa include các context của tongdai (tongdai render asterisk)")
    doors = [door for door in (agi, ari.variable("TD_AGI_2")) if door]
    if f"agi://{settings.agi.bind}" not in doors:
        said = f"asks at {agi}, we listen on {settings.agi.bind}: agents cannot call out"
        return Found(FAIL, "dialplan", said, f"hỏi tại {agi}, còn ta nghe ở {settings.agi.bind}")
    if app != settings.ari.app:
        said = f"hands callers to {app}, we are {settings.ari.app}: every caller gets the fallback"
        return Found(FAIL, "dialplan", said, f"chuyển người gọi cho {app}, còn ta là {settings.ari.app}")
    return Found(OK, "dialplan", f"{app}, {', '.join(doors)}")


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
            yield from _context(ari, trunk.endpoint, INBOUND)
    missing = [agent.name for agent in setup.agents if agent.endpoint not in states]
    if missing:
        said = f"no endpoint for {', '.join(missing)}"
        yield Found(FAIL, "phones", said, f"thiếu endpoint của {', '.join(missing)}")
    elif setup.agents:
        yield Found(OK, "phones", f"{len(setup.agents)} endpoints")
    for agent in setup.agents:
        if agent.endpoint in states:
            yield from _context(ari, agent.endpoint, OUTBOUND)


def _context(ari: Ari, endpoint: str, wanted: str) -> Iterator[Found]:
    """Tell where an endpoint's calls enter the dialplan when that is a context of the engineer's own."""
    try:
        rows = ari.get(f"asterisk/config/dynamic/res_pjsip/endpoint/{quote(endpoint, safe='')}")
    except AskError:
        return
    context = next((row["value"] for row in rows if row["attribute"] == "context"), "")
    if context != wanted:
        said = f"{endpoint}: calls enter {context}, which must include {wanted}"
        yield Found(WARN, "context", said, f"{endpoint}: cuộc gọi vào {context}, phải include {wanted}")
