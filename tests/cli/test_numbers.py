"""Verbs about numbers: the table in force, single numbers, and lists that are imported with mistakes in them."""

from __future__ import annotations

import json

import pytest

from controller import cli_progress
from controller.cli_progress import Shown
from tests.web.house import SETUP

pytestmark = pytest.mark.web

TABLE = (
    'country = "VN"\nversion = "2027-01-31"\nsources = ["our contract"]\n'
    '[[carrier]]\nname = "newcomer"\naliases = ["New Comer"]\nprefixes = ["0123"]\n'
)


@pytest.fixture
def setup_file(tmp_path):
    path = tmp_path / "setup.toml"
    path.write_text(SETUP, encoding="utf-8")
    return path


@pytest.fixture
def asking(environ, served):
    environ.setenv("TONGDAI_HTTP__BIND", served.url.removeprefix("http://"))
    environ.setenv("TONGDAI_TOKEN", served.tokens["admin"])


def test_the_shipped_table_is_shown_from_the_books(run, tmp_path):
    told = run("carriers")
    assert told.code == 0
    assert told.out.startswith("carriers: shipped, version 2026-11-22\n  - carrier metadata of libphonenumber")
    assert "wintel" in told.out


def test_a_table_of_ones_own_is_looked_over_and_shown(run, tmp_path):
    path = tmp_path / "carriers.toml"
    path.write_text(TABLE)
    told = run("carriers", "--check", path)
    assert told.out.startswith(f"{path}: no mistake\ncarriers: {path}, version 2027-01-31\n  - our contract\n")
    assert "newcomer" in told.out
    setup = tmp_path / "setup.toml"
    setup.write_text(f'[defaults]\ncarriers = "{path}"\n')
    assert run("apply", setup, "--yes").code == 0
    assert run("carriers").out.startswith(f"carriers: {path}, version 2027-01-31\n")
    path.unlink()
    assert f"! {path}: cannot be read" in run("carriers").out
    path.write_text(TABLE.replace('"0123"', '"123"'))
    told = run("carriers", "--check", path)
    assert (told.code, told.err.startswith(f"tongdai: {path}:7: carrier[0].prefixes[0]: '123' must")) == (2, True)


def test_reloading_wants_a_daemon(run):
    told = run("carriers", "--reload")
    assert (told.code, told.err.startswith("tongdai: a token is wanted")) == (2, True)


@pytest.mark.usefixtures("asking")
def test_a_daemon_tells_of_its_table_and_everything_else(run):
    for words in (("carriers",), ("carriers", "--reload")):
        told = run(*words)
        assert told.out.startswith("carriers: setup, version -\n")
        assert "ported numbers in 0 lists, 0 of 0 blocks in memory\n" in told.out
        assert told.out.endswith("no look-up service\n")
    assert json.loads(run("carriers", "--json").out)["origin"] == "setup"


@pytest.mark.usefixtures("asking")
def test_a_carrier_is_named_by_hand_shown_and_taken_back(run):
    assert run("number", "list").out == "none\n"
    told = run("number", "set", "0967 000 111", "viettel", "--note", "he told us")
    assert told.out == "+84967000111 mobile\noperator viettel, known by override\n"
    listed = json.loads(run("number", "list", "--json").out)
    assert [(row["number"], row["note"]) for row in listed] == [("+84967000111", "he told us")]
    assert "he told us" in run("number", "list").out
    assert json.loads(run("number", "show", "0967000111", "--json").out)["carrier_source"] == "override"
    assert run("number", "unset", "0967000111").out.endswith("operator viettel, known by prefix\n")
    assert run("number", "unset", "0967000111").code == 1
    told = run("number", "show", "024 3936 1234 ext 101")
    assert (told.code, told.out) == (1, "+842439361234 landline Hà Nội 101\noperator ?, known by unknown\n")
    assert run("number", "set", "nobody", "viettel").code == 2


def test_bad_lines_of_a_list_are_passed_over_when_told_to(run, setup_file, tmp_path):
    run("apply", setup_file, "--yes")
    ported = tmp_path / "ported.csv"
    ported.write_text("number,carrier\n0912345679,viettel\nxx,viettel\n")
    told = run("apply", "--ported", ported)
    assert (told.code, told.err) == (2, "tongdai: ported.csv:3: number: 'xx' is no phone number\n")
    told = run("apply", "--ported", ported, "--skip-bad")
    assert (told.code, told.out) == (0, "1 ported numbers imported, 1 lines passed over\n")
    assert told.err == "tongdai: warning: ported.csv:3: number: 'xx' is no phone number\n"


class Watch:
    """A clock that is set by hand."""

    at_s = 100.0

    def __call__(self):
        return self.at_s


def showing(shown, watch, *steps):
    """Say of each step when it comes and how much is done."""
    began_s = watch.at_s
    with shown:
        for after_s, done in steps:
            watch.at_s = began_s + after_s
            shown(done, 1_000)


def test_who_watches_sees_one_line_that_goes_on(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    watch = Watch()
    showing(Shown(watch), watch, (0.1, 10), (0.6, 70), (0.7, 79), (0.7, 80), (0.8, 1_000), (0.9, 1_000))
    assert capsys.readouterr().err == "\rimporting: 7 %\rimporting: 8 %\rimporting: 100 %\n"
    showing(Shown(watch), watch, (0.1, 10), (0.4, 1_000))
    assert capsys.readouterr().err == "", "what is over at once is not worth a line"


def test_a_log_has_a_line_every_ten_percent_and_none_when_it_is_quick(monkeypatch, capsys):
    monkeypatch.setenv("LANG", "vi_VN.UTF-8")
    watch = Watch()
    showing(Shown(watch), watch, *((n * 5.0, n * 10) for n in range(101)))
    assert capsys.readouterr().err == "".join(f"đang nhập: {n} %\n" for n in range(10, 101, 10))
    showing(Shown(watch), watch, *((n * 0.5, n * 100) for n in range(11)))
    assert capsys.readouterr().err == "đang nhập: 60 %\nđang nhập: 100 %\n"
    showing(Shown(watch), watch, (0, 0), (2.9, 1_000))
    assert capsys.readouterr().err == ""


def test_an_error_begins_on_a_line_of_its_own(run, setup_file, tmp_path, monkeypatch):
    monkeypatch.setattr(cli_progress, "WATCHED_QUIET_S", 0.0)
    run("apply", setup_file, "--yes")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    ported = tmp_path / "ported.csv"
    ported.write_text("number,carrier\nxx,viettel\n")
    shown, _, error = run("apply", "--ported", ported).err.partition("\n")
    assert shown.startswith("\rimporting: ")
    assert error == "tongdai: ported.csv:2: number: 'xx' is no phone number\n"


def test_an_import_shows_how_far_it_is_in_both_languages(run, setup_file, tmp_path, monkeypatch, environ):
    """The whole command on a terminal where nothing is too quick to be shown."""
    monkeypatch.setattr(cli_progress, "WATCHED_QUIET_S", 0.0)
    run("apply", setup_file, "--yes")
    ported = tmp_path / "ported.csv"
    ported.write_text("number,carrier\n" + "".join(f"0912{n:06},viettel\n" for n in range(30_000)))
    assert run("apply", "--ported", ported).err == "", "nobody watches"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for lang, word, over in (
        ("en_US.UTF-8", "importing", "30000 ported numbers imported\n"),
        ("vi_VN.UTF-8", "đang nhập", "đã nhập 30000 số chuyển mạng\n"),
    ):
        environ.setenv("LANG", lang)
        told = run("apply", "--ported", ported)
        assert told.out == over
        shown = [line for line in told.err.split("\r") if line]
        percent = [int(line.removeprefix(f"{word}: ").removesuffix(" %\n").removesuffix(" %")) for line in shown]
        assert percent == sorted(set(percent))
        assert (percent[-1], shown[-1][-1]) == (100, "\n")
        assert len(percent) > 4


@pytest.mark.usefixtures("asking")
def test_a_daemon_takes_notice_of_an_import(run, served, tmp_path, environ):
    environ.setenv("TONGDAI_DATABASE__URL", f"sqlite+aiosqlite:///{served._books}")
    ported = tmp_path / "ported.csv"
    ported.write_text("number,carrier\n0912345679,viettel\n")
    assert run("apply", "--ported", ported).out == "1 ported numbers imported\n"
    assert json.loads(run("number", "show", "0912345679", "--json").out)["carrier_source"] == "ported"
