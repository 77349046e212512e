"""Process settings: three sources, every unknown key refused with its place, no secret shown."""

from __future__ import annotations

import pytest

from controller.errors import SettingsError
from controller.settings import Bind, Settings
from controller.settings_load import load
from controller.settings_values import bind_of

pytestmark = pytest.mark.web


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "tongdai.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_defaults_are_the_documented_ones():
    settings = load(environ={})
    assert settings == Settings()
    assert settings.database.url == "sqlite+aiosqlite:///var/tongdai.db"
    assert (str(settings.http.bind), str(settings.agi.bind)) == ("127.0.0.1:8090", "127.0.0.1:4573")
    assert (settings.ari.url, settings.ari.app) == ("http://127.0.0.1:8088", "tongdai")


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(config):
    path = config('[http]\nbind = "127.0.0.1:9000"\n[journal]\ndays = 3\nmax_mb = 50\n')
    settings = load(path, {"TONGDAI_JOURNAL__DAYS": "5", "PATH": "/bin"})
    assert settings.http.bind == Bind("127.0.0.1", 9000)
    assert (settings.journal.days, settings.journal.max_mb) == (5, 50)


def test_the_file_may_be_named_by_the_environment(config):
    path = config('[ari]\nurl = "http://127.0.0.1:8188/ari/"\npassword = "p"\n')
    settings = load(environ={"TONGDAI_CONFIG": str(path), "TONGDAI_TOKEN": "t"})
    assert (settings.ari.url, settings.ari.password) == ("http://127.0.0.1:8188", "p")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('# ours\n[http]\nbnd = "127.0.0.1:1"\n', "tongdai.toml:3: [http] bnd: unknown key, did you mean bind?"),
        ('\n\n[htp]\nbind = "127.0.0.1:1"\n', "tongdai.toml:3: [htp]: unknown section, did you mean http?"),
        ("database = 1\n", "tongdai.toml:1: database: wants to stand in a [section]"),
        ('[log]\nlevel = "loud"\n', "tongdai.toml:2: [log] level: wants one of debug, info, warning, error"),
        ("[journal]\n\ndays = -1\n", "tongdai.toml:3: [journal] days: wants a whole number from 0 to 3650"),
        ("[journal]\ndays = true\n", "tongdai.toml:2: [journal] days: wants a whole number"),
        ('[agi]\nbind = "4573"\n', "tongdai.toml:2: [agi] bind: wants host:port"),
        ('[database]\nurl = "mysql://x"\n', "tongdai.toml:2: [database] url: wants sqlite+aiosqlite"),
        ('[ari]\nurl = "http://u:p@127.0.0.1"\n', "tongdai.toml:2: [ari] url: wants http://host:port"),
        ('[ari]\napp = "a b"\n', "tongdai.toml:2: [ari] app: wants letters"),
        ("[ari]\nuser = 7\n", "tongdai.toml:2: [ari] user: wants a text"),
        ('[http]\nhosts = ["a/b"]\n', "tongdai.toml:2: [http] hosts: wants host names"),
        ("[http\n", "tongdai.toml: "),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(config, text, place):
    with pytest.raises(SettingsError) as caught:
        load(config(text), {})
    assert place in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TONGDAI_DATABSE__URL", "x", "TONGDAI_DATABSE__URL: unknown section, did you mean database?"),
        ("TONGDAI_HTTP__PORT", "1", "TONGDAI_HTTP__PORT: unknown key"),
        ("TONGDAI_HTTP", "1", "TONGDAI_HTTP: unknown key"),
        ("TONGDAI_HTTP__VIEWERS_MAX", "many", "TONGDAI_HTTP__VIEWERS_MAX: wants a whole number from 1"),
    ],
)
def test_a_mistake_in_the_environment_is_told_with_its_name(name, value, said):
    with pytest.raises(SettingsError, match=name) as caught:
        load(environ={name: value})
    assert said in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(SettingsError, match=r"gone\.toml: cannot be read"):
        load(tmp_path / "gone.toml", {})


@pytest.mark.parametrize("section", ["http", "agi"])
@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "[::]", "pbx.example"])
def test_an_address_beyond_loopback_wants_a_word(section, host):
    name = f"TONGDAI_{section.upper()}__BIND"
    with pytest.raises(SettingsError, match=f"{name}: is not a loopback address"):
        load(environ={name: f"{host}:8000"})
    allowed = load(environ={name: f"{host}:8000", f"TONGDAI_{section.upper()}__ALLOW_REMOTE": "true"})
    assert not getattr(allowed, section).bind.loopback


def test_asterisk_on_another_machine_wants_a_word():
    with pytest.raises(SettingsError, match="TONGDAI_ARI__URL: is not a loopback address"):
        load(environ={"TONGDAI_ARI__URL": "http://10.0.0.1:8088"})
    assert load(
        environ={"TONGDAI_ARI__URL": "https://10.0.0.1:8089", "TONGDAI_ARI__ALLOW_REMOTE": "yes"}
    ).ari.allow_remote


@pytest.mark.parametrize("text", ["127.0.0.5:80", "[::1]:8090", "localhost:65535"])
def test_a_bind_address_reads_back_as_written(text):
    assert str(bind_of(text)) == text
    assert bind_of(text).loopback


@pytest.mark.parametrize("text", ["", ":80", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "a b:1", "::1", "x:８０"])
def test_no_bind_address(text):
    with pytest.raises(ValueError, match="wants"):
        bind_of(text)


def test_secrets_are_never_shown():
    env = {"TONGDAI_ARI__PASSWORD": "geheim-1", "TONGDAI_DATABASE__URL": "postgresql+asyncpg://u:geheim-2@h/d"}
    assert "geheim" not in repr(load(environ=env))
    with pytest.raises(SettingsError) as caught:
        load(environ={"TONGDAI_DATABASE__URL": "postgres://u:geheim-2@h/d"})
    assert "geheim" not in str(caught.value)


def test_a_look_up_service_is_described_by_the_settings():
    found = load(
        environ={"TONGDAI_LOOKUP__KIND": "http", "TONGDAI_LOOKUP__URL": "http://127.0.0.1:9/c/{number}"}
    ).lookup
    assert (found.kind, found.url, found.timeout_ms) == ("http", "http://127.0.0.1:9/c/{number}", 120)
    named = load(environ={"TONGDAI_LOOKUP__KIND": "enum", "TONGDAI_LOOKUP__ZONE": "mnp.example"}).lookup
    assert (str(named.server), named.zone) == ("127.0.0.1:53", "mnp.example")
    assert "secret" not in repr(load(environ={"TONGDAI_LOOKUP__TOKEN": "secret"}))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"KIND": "http"}, "[lookup] url: is missing, and kind is http"),
        ({"KIND": "ldap"}, "TONGDAI_LOOKUP__KIND: wants one of off, http, enum"),
        ({"URL": "http://127.0.0.1/x"}, "TONGDAI_LOOKUP__URL: wants http://host:port/path/{number}"),
        ({"URL": "http://a:b@127.0.0.1/{number}"}, "a token in a key of its own"),
        ({"KIND": "http", "URL": "http://mnp.example/{number}"}, "TONGDAI_LOOKUP__URL: is not a loopback address"),
        ({"KIND": "enum", "SERVER": "192.0.2.1:53"}, "TONGDAI_LOOKUP__SERVER: is not a loopback address"),
        ({"ZONE": "a..b"}, "wants a name of the DNS"),
        ({"FIELD": "a b"}, "wants a name, parts with dots between"),
        ({"TIMEOUT_MS": "300"}, "wants a whole number from 10 to 140"),
    ],
)
def test_a_look_up_service_nobody_could_ask_is_refused(environ, said):
    with pytest.raises(SettingsError) as caught:
        load(environ={f"TONGDAI_LOOKUP__{key}": value for key, value in environ.items()})
    assert said in str(caught.value)


def test_a_look_up_service_elsewhere_wants_a_word():
    asked = {"TONGDAI_LOOKUP__KIND": "http", "TONGDAI_LOOKUP__URL": "https://mnp.example/{number}"}
    assert load(environ=asked | {"TONGDAI_LOOKUP__ALLOW_REMOTE": "true"}).lookup.allow_remote
