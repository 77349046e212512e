"""A document as TOML: read back equal, a row under each header, hostile text harmless."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.toml_text import to_toml
from tests.core.documents import BASE

pytestmark = pytest.mark.pure


def test_rows_under_headers_and_everything_else_on_one_line() -> None:
    document = {
        "defaults": {"country": "VN"},
        "menu": [{"name": "main", "keys": {"1": {"queue": "sales"}, "*": "hangup"}}, {}],
        "plain": 1,
        "none": [],
    }
    assert to_toml(document) == (
        "plain = 1\n"
        "none = []\n"
        "\n"
        "[defaults]\n"
        'country = "VN"\n'
        "\n"
        "[[menu]]\n"
        'name = "main"\n'
        'keys = { 1 = { queue = "sales" }, "*" = "hangup" }\n'
        "\n"
        "[[menu]]\n"
    )


def test_nothing_at_all() -> None:
    assert to_toml({}) == ""
    assert tomllib.loads(to_toml({"a": {}, "b": [{}], "c": [{}, 1]})) == {"a": {}, "b": [{}], "c": [{}, 1]}


@pytest.mark.parametrize(
    "value", [True, 0, -1.5, 1e300, "x", date(2027, 1, 1), datetime(2027, 1, 1, 8, tzinfo=UTC), [1, "a", {"b": False}]]
)
def test_values_read_back(value: Any) -> None:
    assert tomllib.loads(to_toml({"key": value, "table": {"key": value}})) == {"key": value, "table": {"key": value}}


@settings(max_examples=150, deadline=None)
@given(st.text(), st.text())
def test_any_text_reads_back_as_key_and_value(key: str, value: str) -> None:
    document = {"table": [{key: value}]}
    try:
        key.encode()
        value.encode()
    except UnicodeEncodeError:
        return
    assert tomllib.loads(to_toml(document).replace("\r\n", "\n")) == document


@pytest.mark.parametrize("value", [None, b"bytes", {1, 2}])
def test_what_toml_cannot_say(value: Any) -> None:
    with pytest.raises(ValueError, match="TOML cannot say"):
        to_toml({"table": {"key": [value]}})


def test_a_whole_setup() -> None:
    assert tomllib.loads(to_toml(BASE)) == BASE
