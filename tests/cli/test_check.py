"""`tongdai check` against an Asterisk played by the test: one line a part, 1 when a call would suffer."""

from __future__ import annotations

import base64
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from controller.core.setup import Menu, Queue, Setup, TableSource, Way, WayKind
from controller.lab import check, check_asterisk
from tests.gate.repository import ROOT
from tests.web.house import SECRET, SETUP

pytestmark = pytest.mark.web

USER, PASSWORD = "tongdai", "a-long-password"
STRONG = "Zx81-qLmW7-0pTv-dK3e9"


class FakeAri:
    """The few questions `check` asks, answered from attributes a test may change."""

    def __init__(self):
        self.version = "22.10.1"
        self.system_name = ""
        self.modules = [{"name": f"{name}.so", "status": "Running"} for name in check_asterisk.MODULES]
        self.variables = {"TD_APP": "tongdai", "TD_AGI": "", "ASTDATADIR": "/nowhere", "ASTSPOOLDIR": "/nowhere"}
        self.contexts = {"viettel-1": "tongdai-inbound", "an": "tongdai-outbound", "binh": "tongdai-outbound"}
        self.apps = {"tongdai"}
        self.endpoints = {"viettel-1": "online", "an": "offline", "binh": "unknown"}
        self.ready = (200, {"ready": True})
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = fake.answer(self.path, self.headers.get("Authorization", ""))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, url, shown):
        parts = urlsplit(url)
        if parts.path == "/readyz":
            return self.ready
        if shown != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            return 401, {"message": "Authentication required"}
        path = parts.path.removeprefix("/ari/")
        if path == "asterisk/info":
            return 200, {"system": {"version": self.version}, "config": {"name": self.system_name}}
        if path == "asterisk/modules":
            return 200, self.modules
        if path.startswith("applications/"):
            return (200, {}) if path.partition("/")[2] in self.apps else (404, {})
        if path == "asterisk/variable":
            name = parse_qs(parts.query)["variable"][0]
            return (200, {"value": self.variables[name]}) if name in self.variables else (404, {})
        if path.startswith("asterisk/config/dynamic/res_pjsip/endpoint/"):
            context = self.contexts[path.rpartition("/")[2]]
            return 200, [{"attribute": "allow", "value": "all"}, {"attribute": "context", "value": context}]
        rows = [{"technology": "PJSIP", "resource": name, "state": state} for name, state in self.endpoints.items()]
        return 200, rows

    def close(self):
        self.server.shutdown()
        self.thread.join(60)
        self.server.server_close()


@pytest.fixture
def ari():
    fake = FakeAri()
    yield fake
    fake.close()


@pytest.fixture
def agi():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def look(run, environ, ari, agi, tmp_path):
    """A machine on which everything is as it should be."""
    setup = tmp_path / "setup.toml"
    setup.write_text(SETUP.replace(SECRET, STRONG), encoding="utf-8")
    sounds = tmp_path / "sounds" / "vi"
    sounds.mkdir(parents=True)
    (tmp_path / "spool" / "recording").mkdir(parents=True)
    for sound in ("welcome", *check.PROMPTS):
        (sounds / f"{sound}.wav").touch()
    for name, value in {
        "ARI__URL": f"http://{ari.address}", "ARI__PASSWORD": PASSWORD, "AGI__BIND": agi, "HTTP__BIND": ari.address,
    }.items():  # fmt: skip
        environ.setenv(f"TONGDAI_{name}", value)
    ari.variables |= {"TD_AGI": f"agi://{agi}", "ASTDATADIR": str(tmp_path), "ASTSPOOLDIR": str(tmp_path / "spool")}
    environ.setattr(socket, "gethostname", lambda: "localhost")
    for module in (check, check_asterisk):  # a machine that stands still is no silent part
        environ.setattr(module, "TIME_LIMIT_S", 30.0)
    environ.setattr(check, "RESOLVE_SLOW_S", 30.0)
    environ.setenv("TONGDAI_HTTP__BIND", "127.0.0.1:9")
    assert run("apply", setup, "--yes").code == 0
    environ.setenv("TONGDAI_HTTP__BIND", ari.address)
    return lambda: run("check")


def words(told):
    return {line[6:18].strip(): line[:4].strip() for line in told.out.splitlines()}


def test_a_machine_that_is_fine_has_a_line_for_every_part(look):
    told = look()
    assert told.code == 0, told.out
    found = words(told)
    assert set(found.values()) == {"ok"}
    assert set(found) == {
        "database", "asterisk", "ari user", "modules", "application", "dialplan", "trunk", "phones", "agi", "daemon",
        "greeting", "host name", "recording",
    }  # fmt: skip
    assert PASSWORD not in told.out


@pytest.mark.parametrize(
    ("spoil", "part", "said"),
    [
        (lambda ari: setattr(ari, "version", "18.1.0"), "asterisk", "18.1.0"),
        (lambda ari: ari.modules.pop(), "modules", "res_stasis_recording"),
        (lambda ari: ari.modules[0].update(status="Not Running"), "modules", "app_dial"),
        (lambda ari: ari.apps.clear(), "application", "no daemon is connected"),
        (lambda ari: ari.variables.pop("TD_AGI"), "dialplan", "are not included"),
        (lambda ari: ari.variables.update(TD_AGI="agi://127.0.0.1:1"), "dialplan", "agents cannot call out"),
        (lambda ari: ari.variables.update(TD_APP="other"), "dialplan", "every caller gets the fallback"),
        (lambda ari: ari.variables.update(ASTDATADIR="/elsewhere"), "greeting", "welcome: no such file"),
        (lambda ari: ari.variables.update(ASTSPOOLDIR="/elsewhere"), "recording", "does not exist"),
        (lambda ari: ari.endpoints.pop("viettel-1"), "trunk", "no endpoint"),
        (lambda ari: ari.endpoints.update({"viettel-1": "offline"}), "trunk", "viettel-1: offline"),
        (lambda ari: ari.endpoints.pop("an"), "phones", "no endpoint for an"),
        (lambda ari: setattr(ari, "ready", (503, {"detail": "asterisk is lost"})), "daemon", "asterisk is lost"),
    ],
)
def test_what_would_hurt_a_call_is_told_and_ends_with_1(look, ari, spoil, part, said):
    spoil(ari)
    told = look()
    assert told.code == 1
    assert words(told)[part] == "FAIL"
    assert said in told.out


def test_the_dialplan_may_ask_the_one_that_leads_first(look, ari):
    ari.variables.update(TD_AGI="agi://127.0.0.1:1", TD_AGI_2=ari.variables["TD_AGI"])
    assert words(look())["dialplan"] == "ok"


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda ari: setattr(ari, "version", "22.6.0"), "asterisk"),
        (lambda ari: ari.contexts.update({"viettel-1": "from-trunk"}), "context"),
        (lambda ari: ari.contexts.update({"an": "from-internal"}), "context"),
    ],
)
def test_what_is_not_as_it_should_be_but_hurts_no_call_is_a_warning(look, ari, spoil, part):
    spoil(ari)
    told = look()
    assert (told.code, words(told)[part]) == (0, "warn")


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("ARI__PASSWORD", "wrong", "ari user"),
        ("ARI__URL", "http://127.0.0.1:9", "asterisk"),
        ("AGI__BIND", "127.0.0.1:9", "agi"),
        ("HTTP__BIND", "127.0.0.1:9", "daemon"),
        ("ASTERISK__SOUNDS_DIR", "/nowhere", "greeting"),
        ("RECORDING__DIR", "/nowhere", "recording"),
    ],
)
def test_what_does_not_answer_is_a_line_and_not_an_end(look, environ, name, value, part):
    environ.setenv(f"TONGDAI_{name}", value)
    told = look()
    assert (told.code, words(told)[part]) == (1, "FAIL")
    assert "host name" in words(told)


def test_a_lab_says_itself_where_its_parts_are(look, run, environ, ari, agi, tmp_path):
    lab = tmp_path / "lab"
    lab.mkdir()
    (tmp_path / "books.db").rename(lab / "tongdai.db")
    facts = {
        "http": f"http://{ari.address}", "ari": f"http://{ari.address}", "ari_user": USER, "ari_password": PASSWORD,
        "agi": agi, "admin_token": "td_x",
    }  # fmt: skip
    (lab / "lab.json").write_text(json.dumps(facts))
    for name in ("ARI__URL", "ARI__PASSWORD", "AGI__BIND", "HTTP__BIND", "DATABASE__URL"):
        environ.delenv(f"TONGDAI_{name}")
    told = run("check", "--lab", lab)
    assert (told.code, set(words(told).values())) == (0, {"ok"}), told.out


def test_a_name_that_does_not_resolve_is_told(look, environ):
    def unknown(*_):
        raise socket.gaierror(-2, "Name or service not known")

    environ.setattr(socket, "gethostname", lambda: "pbx-without-hosts-entry")
    environ.setattr(socket, "getaddrinfo", unknown)
    found = check._host_name()
    assert found.word == "FAIL"
    assert "/etc/hosts" in found.english


def test_a_name_that_resolves_slowly_is_told(environ):
    ticks = iter((0.0, 4.9))
    environ.setattr(check.time, "monotonic", lambda: next(ticks))
    assert "4.9 s" in check._host_name().english


def test_fresh_books_have_no_setup(run, environ, ari, agi):
    told = run("migrate")
    assert told.code == 0
    assert "no setup was applied yet" in run("check").out


def test_the_look_speaks_vietnamese_where_the_terminal_does(look, environ, ari):
    environ.setenv("LANG", "vi_VN.UTF-8")
    ari.apps.clear()
    assert "chưa có tiến trình nào kết nối" in look().out


def test_a_password_that_can_be_guessed_is_told_and_not_shown(look, run, tmp_path):
    weak = tmp_path / "weak.toml"
    weak.write_text(SETUP.replace(SECRET, "lab-only"), encoding="utf-8")
    assert run("apply", weak, "--yes").code == 0
    told = look()
    assert told.code == 0
    assert "passwords of 2 phones can be guessed (an, binh)" in told.out
    assert "lab-only" not in told.out


def test_a_table_of_carriers_that_has_gone_is_told():
    setup = Setup(carriers_from=TableSource("shipped", "2026-11-22", (), "/etc/c.toml: cannot be read"))
    (found,) = check._carriers(setup)
    assert (
        " ".join(str(found).split())
        == "warn carriers the shipped table 2026-11-22 stands in: /etc/c.toml: cannot be read"
    )
    assert check._carriers(Setup()) == []


def test_open_doors_in_asterisks_own_files_are_told(look, ari, tmp_path):
    etc = tmp_path / "etc"
    etc.mkdir()
    ari.variables["ASTETCDIR"] = str(etc)
    (etc / "http.conf").write_text("[general]\nenabled=yes\nbindaddr=127.0.0.1\nenable_status=no\n")
    told = look()
    assert words(told)["security"] == "ok"
    (etc / "http.conf").write_text("[general]\nenabled=yes\nbindaddr=0.0.0.0\n")
    (etc / "manager.conf").write_text("[general]\nenabled=no\n[admin]\nsecret=hunter2\n")
    told = look()
    assert told.code == 0, "an open door is no call that suffers"
    assert words(told)["security"] == "warn"
    assert f"{etc / 'http.conf'}:1: bindaddr=0.0.0.0 can be reached from outside (+1)" in told.out
    assert f"{etc / 'manager.conf'}:3: a manager user: admin" in told.out
    assert "hunter2" not in told.out


def test_prompts_of_ours_that_were_not_copied_are_told(look, tmp_path):
    (tmp_path / "sounds" / "vi" / "tongdai-fallback.wav").unlink()
    told = look()
    assert (told.code, words(told)["prompts"]) == (1, "FAIL")
    assert "copy or link sounds/vi and sounds/en" in told.out


def test_prompts_that_are_looked_for_are_among_ours():
    assert set(check.PROMPTS) <= {file.stem for file in (ROOT / "sounds" / "vi").glob("*.wav")}


def test_every_sound_of_a_setup_is_looked_for():
    way = Way(WayKind.HANGUP, play="closed")
    setup = Setup(
        menus=(Menu("m", play="welcome", keys=(("1", Way(WayKind.HANGUP, play="bye")),), on_timeout=way),),
        queues=(Queue("q", on_full=Way(WayKind.HANGUP, play="full"), on_max_wait=way),),
    )
    assert check.sounds_of(setup) == ("welcome", "bye", "closed", "full")


async def test_a_port_nobody_listens_on_is_told():
    from controller.settings import Bind

    assert (await check._port("agi", Bind("127.0.0.1", 9))).word == "FAIL"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert (await check._port("agi", Bind("127.0.0.1", listener.getsockname()[1]))).word == "ok"


@pytest.mark.parametrize("name", ["pbx.example.com", "a b", "x" * 54, "\x1b[31m"])
@pytest.mark.parametrize(("locale", "said"), [("C", "letters, digits"), ("vi_VN.UTF-8", "chữ cái, chữ số")])
def test_a_system_name_that_hides_calls_is_refused(look, ari, environ, name, locale, said):
    ari.system_name = name
    environ.setenv("LC_ALL", locale)
    result = look()
    line = next(row for row in result.out.splitlines() if "system name" in row)
    assert result.code == 1
    assert line.startswith("FAIL")
    assert said in line
    assert line.isprintable()


@pytest.mark.parametrize("name", ["", "hanoi-1", "PBX_2", "x" * 53])
def test_a_system_name_that_fits_is_not_mentioned(look, ari, name):
    ari.system_name = name
    assert "system name" not in look().out
