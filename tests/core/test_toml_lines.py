"""Where keys stand in a TOML text, whatever strings and lists come in between."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.toml_lines import lines_of
from controller.toml_text import to_toml

pytestmark = pytest.mark.pure

TRICKY = '''# [comment]
title = "a # no comment"   # = a comment
text = """
[[hotline]]
number = 'not me' \\
""" # after

[defaults]
country = "VN"
'quoted key' = 1
"with \\u00e9" = 2
a.b . "c d" = { x = 1, y = { z = [1, 2] } }

[[hotline]]
number = "+842473001001"
closed = { play = "x]}", then = 'a#b' }
list = [  # many
  1, 2,   # in a row
  [ "]", '}' ],
  { name = "sales" },
]

[hotline.extra]
deep = 1

[[hotline.rows]]
n = 1
[[hotline.rows]]
n = 2

[[hotline]]
number = \'\'\'
multi'line''\'\'\'
when = 2027-01-01 07:32:00
after = """five quotes""\"""
last = true'''


def line_with(text: str, after: int = 0) -> int:
    lines = TRICKY.split("\n")
    return next(n for n, line in enumerate(lines, 1) if n > after and text in line)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("title",), 2),
        (("text",), 3),
        (("defaults",), line_with("[defaults]")),
        (("defaults", "country"), line_with("country")),
        (("defaults", "quoted key"), line_with("quoted key")),
        (("defaults", "with é"), line_with("u00e9")),
        (("defaults", "a", "b", "c d", "y", "z", 1), line_with("a.b")),
        (("hotline",), line_with("[[hotline]]", 5)),
        (("hotline", 0, "number"), line_with("+84")),
        (("hotline", 0, "closed", "then"), line_with("closed")),
        (("hotline", 0, "list", 1), line_with("1, 2,")),
        (("hotline", 0, "list", 2, 1), line_with('"]"')),
        (("hotline", 0, "list", 3, "name"), line_with('name = "sales"')),
        (("hotline", 0, "extra", "deep"), line_with("deep")),
        (("hotline", 0, "rows", 1, "n"), line_with("n = 2")),
        (("hotline", 1), line_with("[[hotline]]", 25)),
        (("hotline", 1, "number"), line_with("number = '''")),
        (("hotline", 1, "when"), line_with("when")),
        (("hotline", 1, "after"), line_with("five quotes")),
        (("hotline", 1, "last"), line_with("last")),
    ],
)
def test_lines_of_a_tricky_text(place: tuple[Any, ...], line: int) -> None:
    tomllib.loads(TRICKY)
    assert lines_of(TRICKY)[place] == line
    assert lines_of(TRICKY.replace("\n", "\r\n"))[place] == line


def test_an_empty_text() -> None:
    assert lines_of("") == lines_of("\n # nothing\n") == {}


NAMES = st.text("abz09_- .é\"'#[]=\\", max_size=4)
LEAVES = (
    st.booleans() | st.integers(-99, 10**12) | st.floats(allow_nan=False) | st.text("ab#[]{}=,\"'\\ \n\té", max_size=8)
)
INLINE = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
DOCUMENTS = st.dictionaries(
    NAMES,
    st.dictionaries(NAMES, INLINE, max_size=3) | st.lists(st.dictionaries(NAMES, INLINE, max_size=3)) | INLINE,
    max_size=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        found += places(each, (*path, key))
    return found


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_whatever_is_written_is_read_back_and_every_place_has_its_line(document: dict[str, Any]) -> None:
    text = to_toml(document)
    assert tomllib.loads(text) == document
    lines, rows = lines_of(text), text.split("\n")
    for place in places(document):
        assert 1 <= lines[place] <= len(rows)
        top = rows[lines[(place[0],)] - 1]
        assert top.startswith(("[", '"', place[0]))
    for place, line in lines.items():
        if len(place) > 1:
            assert lines[place[:-1]] <= line
