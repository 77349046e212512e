"""Verbs that ask a running daemon: what they print, for people and for programs, and how they end."""

from __future__ import annotations

import json

import pytest

from controller.cli_story import SENTENCES, lines, offset, plain, sentence
from controller.core import commands, events, facts
from tests.web.house import CALLER, HOTLINE

pytestmark = pytest.mark.web


@pytest.fixture
def ask(run, environ, served):
    environ.setenv("TONGDAI_HTTP__BIND", served.url.removeprefix("http://"))
    environ.setenv("TONGDAI_TOKEN", served.token)
    return run


@pytest.mark.parametrize("verb", ["calls", "agents", "queues", "trunks"])
def test_what_is_happening_now_is_a_table_or_json(ask, verb):
    table = ask(verb)
    assert (table.code, table.err) == (0, "")
    heads, *rows = table.out.splitlines()
    assert heads.split()[0] in {"CALL", "AGENT", "QUEUE", "TRUNK"}
    data = ask(verb, "--json")
    found = json.loads(data.out)
    items = found["items"] if verb == "calls" else found
    assert len(rows) == len(items) > 0
    for row, item in zip(rows, items, strict=True):
        assert row.split()[0] in (item.get("id"), item.get("name"))


def test_ended_calls_are_shown_when_asked_for(ask):
    told = ask("calls", "--state", "ended").out
    assert "1700000000.1" in told
    assert "answered" in told
    assert "1700000000.2" not in told


def test_an_empty_list_says_so(ask):
    assert ask("calls", "--queue", "care").out == "none\n"


def test_a_story_is_readable(ask):
    told = ask("story", "1700000000.1")
    assert told.code == 0
    text = told.out
    assert text.startswith("story of call 1700000000.1\n+  0:00.000 > CallArrived")
    assert f"{CALLER} called {HOTLINE}" in text
    assert "waits in queue sales, place 1" in text
    assert "offered to an" in text
    assert "talks with an" in text
    assert "ended: answered (caller)" in text
    assert "because of" in text or "[" not in text
    assert json.loads(ask("story", "1700000000.1", "--json").out)["items"]


def test_a_story_is_told_in_vietnamese_where_the_terminal_speaks_it(ask, environ):
    environ.setenv("LANG", "vi_VN.UTF-8")
    told = ask("story", "1700000000.1").out
    assert told.startswith("diễn biến cuộc gọi 1700000000.1")
    assert "chờ ở hàng đợi sales, vị trí 1" in told


def test_a_call_nobody_knows_is_no(ask):
    told = ask("story", "nobody.1")
    assert (told.code, told.out, told.err) == (1, "", "tongdai: no call is named nobody.1\n")


def test_pick_says_which_trunk_and_why(ask):
    told = ask("pick", "0967000001", "--hotline", "auto", "--agent", "an")
    assert told.code == 0
    first, carrier, attempt, *steps = told.out.splitlines()
    assert first == "+84967000001 may be called"
    assert carrier == "operator viettel, known by prefix"
    assert attempt.startswith("1. by trunk viettel-1, showing")
    assert steps
    assert all(step.startswith("  - ") for step in steps)


def test_a_call_is_placed_for_an_agent_or_refused_with_the_reason(ask):
    told = ask("call", "0967000001", "--agent", "binh", "--hotline", "auto")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("binh's phone rings; then 0967000001 is dialled (tongdai story click-")
    told = ask("call", "0967000001", "--agent", "an")
    assert (told.code, told.err) == (1, "tongdai: an is in a call\n")


def test_pick_ends_with_1_when_the_answer_is_no(ask):
    told = ask("pick", "0967000001", "--hotline", "nobody")
    assert told.code == 1
    assert told.out.startswith("+84967000001 may not be called: ")
    assert json.loads(ask("pick", "0967000001", "--hotline", "nobody", "--json").out)["allowed"] is False


def test_a_lab_says_where_it_is_and_what_to_show(run, served, tmp_path):
    (tmp_path / "lab.json").write_text(json.dumps({"http": served.url, "admin_token": served.token}))
    assert "an" in run("agents", "--lab", tmp_path).out
    gone = run("agents", "--lab", tmp_path / "nowhere")
    assert (gone.code, gone.err.count("\n")) == (2, 1)


def test_without_a_token_it_says_how_to_get_one(run):
    told = run("calls")
    assert told.code == 2
    assert "tongdai token create" in told.err
    assert told.err.count("\n") == 1


def test_a_wrong_token_is_one_line(ask, environ):
    environ.setenv("TONGDAI_TOKEN", "td_wrong")
    told = ask("calls")
    assert (told.code, told.err) == (2, "tongdai: the token is not known, or it was revoked\n")


def test_a_daemon_that_does_not_run_is_one_line(run):
    told = run("calls", "--token", "td_x")
    assert told.code == 2
    assert told.err.startswith("tongdai: no daemon answers at http://127.0.0.1:9")
    assert told.err.count("\n") == 1


def test_what_the_question_got_wrong_is_told_with_its_place(ask):
    told = ask("calls", "--state", "now")
    assert told.code == 2
    assert told.err.startswith("tongdai: query.state: ")


# -- stories ---------------------------------------------------------------------------------------------------------


def test_everything_that_can_stand_in_a_story_has_a_sentence():
    from typing import get_args

    about_calls = {
        kind.__name__
        for union in (events.Event, facts.Fact, commands.Command)
        for kind in get_args(union)
        if "call" in kind.__dataclass_fields__
    }
    assert about_calls - set(SENTENCES) == set()


def test_a_line_without_a_sentence_shows_its_fields():
    assert sentence("Unheard", {"a": 1, "b": "", "c": None, "d": ["x", "y"]}) == "a=1 d=x; y"


@pytest.mark.parametrize(("ms", "shown"), [(0, "+  0:00.000"), (62_345, "+  1:02.345"), (-5, "+  0:00.000")])
def test_an_offset_stands_in_its_column(ms, shown):
    assert offset(ms) == shown


def test_a_terminal_is_never_given_orders():
    for text in ("\x1b[2J", "\x9b31m", "a\rb", "\u202e", "\x07"):
        assert plain(text).isprintable()
    item = {"offset_ms": 0, "kind": "event", "name": "CallArrived", "cause": "x", "body": {"caller": "\x1b]0;evil\x07"}}
    assert next(lines([item])).isprintable()
