"""Reading a table key by key: what each reader accepts, and what it says about the rest."""

from __future__ import annotations

from typing import Any

import pytest

from controller.core import shape
from controller.core.alphabets import NAME
from controller.core.shape import Problem, Report, Table, kind_of, meant, shown, spell

pytestmark = pytest.mark.pure


def table(**raw: Any) -> tuple[Table, Report]:
    report = Report()
    return Table(raw, ("t", 0), report), report


def told(report: Report) -> list[str]:
    return [str(problem) for problem in report.problems]


@pytest.mark.parametrize(
    ("place", "spelled"),
    [
        ((), ""),
        (("hotline", 2, "trunk"), "hotline[2].trunk"),
        (("menu", 0, "keys", "*"), 'menu[0].keys."*"'),
        (("a b",), '"a b"'),
        (("\ud800\n",), '"\\ud800\\n"'),
        (("x" * 99 + " ",), f'"{"x" * 40}"'),
    ],
)
def test_places_as_people_write_them(place: tuple[Any, ...], spelled: str) -> None:
    assert spell(place) == spelled


def test_a_problem_without_a_place_is_its_text() -> None:
    assert str(Problem((), "is empty")) == "is empty"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "true or false"),
        (1, "a whole number"),
        (1.5, "a fraction"),
        ("x", "text"),
        ([], "a list"),
        ({}, "a table"),
        (None, "nothing"),
        (object(), "a date or time"),
    ],
)
def test_kinds_in_words(value: Any, words: str) -> None:
    assert str(kind_of(value)) == words
    assert str(shown(value)) == ("'x'" if value == "x" else words)


def test_what_may_have_been_meant() -> None:
    assert str(meant("vietel-1", ["viettel-1", "mobifone-1"])) == " (did you mean 'viettel-1'?)"
    assert meant("x", ["viettel-1"]) == ""


def test_text() -> None:
    read, report = table(name="a b", wrong=5, empty="", line="a\nb", right="ok")
    assert read.text("right", NAME) == "ok"
    assert read.text("left out", default="d") == "d"
    assert [read.text(key, NAME) for key in ("name", "wrong", "empty", "line")] == [""] * 4
    assert read.text("gone", needed=True) == ""
    assert told(report) == [
        "t[0].name: 'a b' is not allowed here: letters a-z, digits and . _ - (at most 64)",
        "t[0].wrong: must be text, not a whole number",
        "t[0].empty: '' is not allowed here: letters a-z, digits and . _ - (at most 64)",
        "t[0].line: 'a\\nb' is not allowed here: letters a-z, digits and . _ - (at most 64)",
        "t[0].gone: is missing",
    ]
    assert report.wrong(("t", 0, "gone"))
    assert not report.wrong(("t", 0, "right"))


def test_free_text_is_printable() -> None:
    read, report = table(good="Tổng đài ☎", bad="a\u202eb")
    assert read.text("good") == "Tổng đài ☎"
    assert read.text("bad") == ""
    assert len(report.problems) == 1


def test_words() -> None:
    read, report = table(kind="vrtual", number=7)
    assert read.word("kind", ("carrier", "virtual"), "carrier") == "carrier"
    assert read.word("gone", ("carrier", "virtual"), "virtual") == "virtual"
    assert read.word("number", ("carrier",), "carrier") == "carrier"
    assert told(report) == [
        "t[0].kind: 'vrtual' is none of carrier, virtual (did you mean 'virtual'?)",
        "t[0].number: must be text, not a whole number",
    ]


def test_numbers() -> None:
    read, report = table(low=2, high=11, zero=0, flag=True, half=2.0)
    assert read.integer("gone", 7, 0, 10) == 7
    assert read.integer("low", 7, 2, 10) == 2
    assert read.integer("zero", 7, 0, 10) == 0
    assert read.maybe("gone", 0, 10) is None
    assert [read.integer(key, 7, 3, 10) for key in ("low", "high", "flag", "half")] == [7] * 4
    assert told(report) == [
        "t[0].low: 2 is out of range: 3 to 10",
        "t[0].high: 11 is out of range: 3 to 10",
        "t[0].flag: must be a whole number, not true or false",
        "t[0].half: must be a whole number, not a fraction",
    ]


def test_flags() -> None:
    read, report = table(on=True, word="yes")
    assert read.flag("on", default=False)
    assert read.flag("gone", default=True)
    assert not read.flag("word", default=False)
    assert told(report) == ["t[0].word: must be true or false, not text"]


def test_lists_of_texts() -> None:
    read, report = table(good=["b", "a"], twice=["a", "a"], mixed=["a", 5, "a b"], text="a")
    assert read.texts("good", NAME) == ("b", "a")
    assert read.texts("gone", NAME) == ()
    assert read.texts("twice", NAME) == ("a",)
    assert read.texts("mixed", NAME) == ("a",)
    assert read.texts("text", NAME) == ()
    assert told(report) == [
        "t[0].twice[1]: 'a' is in the list twice",
        "t[0].mixed[1]: must be text, not a whole number",
        "t[0].mixed[2]: 'a b' is not allowed here: letters a-z, digits and . _ - (at most 64)",
        "t[0].text: must be a list, not text",
    ]


def test_tables_inside() -> None:
    read, report = table(one={"a": 1}, many=[{}, 5], text="x")
    inner = read.table("one")
    assert inner
    assert inner.place == ("t", 0, "one")
    assert read.table("gone") is None
    assert read.table("text") is None
    assert [row.place for row in read.tables("many")] == [("t", 0, "many", 0)]
    assert told(report) == ["t[0].text: must be a table, not text", "t[0].many[1]: must be a table, not a whole number"]


def test_a_key_nobody_asked_for_is_refused_with_the_nearest_that_is_missing() -> None:
    read, report = table(ring_tme=5, colour="red", max_wait=5)
    read.integer("ring_time", 15, 3, 300)
    read.integer("max_wait", 15, 3, 300)
    read.done()
    assert told(report) == [
        "t[0].ring_tme: there is no such key here (did you mean 'ring_time'?)",
        "t[0].colour: there is no such key here",
    ]


def test_tables_whose_keys_are_data() -> None:
    read, report = table(a=1, b=2)
    assert read.all_keys() == ["a", "b"]
    read.done()
    assert told(report) == []


def test_a_file_of_another_kind_is_not_reported_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape, "REPORTED_MAX", 3)
    read, report = table(**{f"k{n}": 0 for n in range(9)})
    read.done()
    assert len(report.problems) == 3
    assert report.wrong(("t", 0, "k8"))
