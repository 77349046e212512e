"""Words from outside: numbers become numbers or nothing, names become one printable line."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.core.text import clean_name, clean_number

pytestmark = pytest.mark.pure

BIDI = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("0912345678", "0912345678"),
        ("+84 912-345.678", "+84912345678"),
        ("(024) 7300 1001", "02473001001"),
        ("0912345678;npdi=yes", "0912345678"),
        ("０９１２", "0912"),
        ("*100#", "*100#"),
        ("anonymous", ""),
        ("Unavailable", ""),
        ("500&PJSIP/x/1900", ""),
        ("${SHELL(id)}", ""),
        ("=1+1", ""),
        ("12\r\n34", ""),
        ("12\x0034", ""),
        ("++84", ""),
        ("84+", ""),
        ("+", ""),
        ("", ""),
        ("1" * 31, "1" * 31),
        ("1" * 32, ""),
        ("9" * 10_000, ""),
        (None, ""),
        (912345678, ""),
    ],
)
def test_numbers(raw, number):
    assert clean_number(raw) == number


@settings(deadline=None)
@given(st.text())
def test_a_number_is_a_number_and_stays_one(raw):
    number = clean_number(raw)
    assert re.fullmatch(r"(\+?[0-9*#]{1,31})?", number)
    assert clean_number(number) == number


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Nguyễn Văn An", "Nguyễn Văn An"),
        ("Nguye\u0302\u0303n", "Nguyễn"),
        ("a\r\nagi_extension: 900", "a agi_extension: 900"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\x00b\x7f\x85c", "ab c"),
        ("\ud800x", "x"),
        ("  a \t\n b  ", "a b"),
        ("x" * 10_000, "x" * 64),
        ("x" * 63 + " y", "x" * 63),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # harmless where it is escaped: everywhere
        (None, ""),
        ([], ""),
    ],
)
def test_names(raw, name):
    assert clean_name(raw) == name


@settings(deadline=None)
@given(st.text(max_size=400))
@example(BIDI)
@example("e\u0301" * 200)
@example("\u1100\u200b\u1161")
def test_a_name_is_one_printable_line_and_stays_one(raw):
    name = clean_name(raw)
    assert len(name) <= 64
    assert name == name.strip()
    assert all(c.isprintable() for c in name)
    assert not set(name) & set(BIDI)
    assert clean_name(name) == name
