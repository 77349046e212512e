"""Hotlines and adaptive numbers: one mistake at a time, and the defaults that depend on the number."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.documents import DROP, changed, problems, right

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (
            "hotline.0.number",
            "sales",
            "hotline[0].number: 'sales' is no number of VN: write E.164 (+84…) or a short code",
        ),
        (
            "hotline.0.number",
            "047300",
            "hotline[0].number: '047300' is no number of VN: write E.164 (+84…) or a short code",
        ),
        ("hotline.0.number", 84, "hotline[0].number: must be text, not a whole number"),
        ("hotline.0.number", DROP, "hotline[0].number: is missing"),
        ("hotline.0.name", "a\tb", "hotline[0].name: 'a\\tb' is not allowed here: at most 128 printable characters"),
        ("hotline.0.kind", "real", "hotline[0].kind: 'real' is none of carrier, virtual"),
        (
            "hotline.0.type",
            "tollfree",
            "hotline[0].type: 'tollfree' is none of local, mobile, toll-free (did you mean 'toll-free'?)",
        ),
        (
            "hotline.0.country",
            "XX",
            "hotline[0].country: 'XX' is no country of two capital letters (ISO 3166), such as VN",
        ),
        ("hotline.0.outbound", "yes", "hotline[0].outbound: must be true or false, not text"),
        (
            "hotline.0.outbound_groups",
            "some",
            'hotline[0].outbound_groups: must be "all" or a list of groups, not text',
        ),
        (
            "hotline.0.outbound_groups",
            None,
            'hotline[0].outbound_groups: must be "all" or a list of groups, not nothing',
        ),
        ("hotline.0.wrap_up", 601, "hotline[0].wrap_up: 601 is out of range: 0 to 600"),
        ("hotline.0.notify_answer_time", -1, "hotline[0].notify_answer_time: -1 is out of range: 0 to 86400"),
        ("hotline.0.fallback", "hangup", 'hotline[0].fallback: must be "announce", "ring" or { phone = … }'),
        ("hotline.0.fallback", {"phone": "x"}, "hotline[0].fallback.phone: 'x' is no phone number"),
        ("hotline.0.fallback", {"queue": "sales"}, None),
        ("hotline.0.carrier", "viettle", "hotline[0].carrier: no carrier is named 'viettle' (did you mean 'viettel'?)"),
        ("hotline.0.wrap-up", 5, "hotline[0].wrap-up: there is no such key here (did you mean 'wrap_up'?)"),
        ("adaptive.0.name", DROP, "adaptive[0].name: is missing"),
        ("adaptive.0.outbound", 1, "adaptive[0].outbound: must be true or false, not a whole number"),
    ],
)
def test_one_mistake_is_one_line(path: str, value: Any, problem: str | None) -> None:
    found = problems(changed((path, value)))
    if problem is None:
        assert found == [
            "hotline[0].fallback.phone: is missing",
            "hotline[0].fallback.queue: there is no such key here",
        ]
        return
    follow = {
        "hotline.0.number": "adaptive[0].fallback: no hotline is named '+842473001001' (did you mean '+84901001001'?)",
        "adaptive.0.name": "agent[0].outbound_with: no hotline or adaptive number is named 'auto'",
    }.get(path)
    assert found == [problem, follow] if follow else found == [problem]


@pytest.mark.parametrize(
    ("number", "kept", "kind"),
    [
        ("024 7300 1005", "+842473001005", "local"),
        ("0901001001", "+84901001001", "mobile"),
        ("+841800 6670", "18006670", "toll-free"),
        ("1900 1005", "19001005", "local"),
        ("1022", "1022", "local"),
        ("+442071838750", "+442071838750", "local"),
        ("+84461234567", "+84461234567", "local"),
    ],
)
def test_numbers_and_the_type_they_usually_have(number: str, kept: str, kind: str) -> None:
    row = {"number": number, "trunk": "viettel-1", "queue": "sales"}
    setup = right(changed(("hotline.1", row))).setup
    assert setup
    assert (setup.hotlines[1].number, setup.hotlines[1].type) == (kept, kind)


def test_a_hotline_of_another_country() -> None:
    row = {"number": "020 7183 8750", "country": "GB", "trunk": "viettel-1", "queue": "sales"}
    setup = right(changed(("hotline.1", row))).setup
    assert setup
    assert (setup.hotlines[1].number, setup.hotlines[1].country) == ("+442071838750", "GB")


def test_outbound_groups() -> None:
    setup = right(changed(("hotline.0.outbound_groups", "all"), ("hotline.1.outbound_groups", []))).setup
    assert setup
    assert [row.outbound_groups for row in setup.hotlines] == [None, (), None]
