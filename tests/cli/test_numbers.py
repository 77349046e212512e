"""Verbs about numbers: the table in force, single numbers, and lists that are imported with mistakes in them."""

from __future__ import annotations

import json

import pytest

from controller import cli_import
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


def test_who_watches_sees_how_far_a_list_is_read(monkeypatch, capsys):
    assert cli_import.progress_bar() is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    shown = cli_import.progress_bar()
    assert shown
    for done in (0, 50, 51, 100, 100):
        shown(done, 100)
    shown(0, 0)
    assert capsys.readouterr().err == "\rreading 0 %\rreading 50 %\rreading 51 %\rreading 100 %\n"


@pytest.mark.usefixtures("asking")
def test_a_daemon_takes_notice_of_an_import(run, served, tmp_path, environ):
    environ.setenv("TONGDAI_DATABASE__URL", f"sqlite+aiosqlite:///{served._books}")
    ported = tmp_path / "ported.csv"
    ported.write_text("number,carrier\n0912345679,viettel\n")
    assert run("apply", "--ported", ported).out == "1 ported numbers imported\n"
    assert json.loads(run("number", "show", "0912345679", "--json").out)["carrier_source"] == "ported"
