"""What a log line may hold: one event, no secret, no whole number, and nothing that ends the line."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from controller import log

pytestmark = pytest.mark.pure

FORMS = ("console", "json")
DANGEROUS = "\x00\x07\x0a\x0b\x0d\x1b\x7f\x85\x9b\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    log._lines.stream = None


def lines_of(form: str, say: Callable[[Any], None], level: str = "info") -> list[str]:
    out = io.StringIO()
    log.configure(level, form, out)
    say(structlog.get_logger("test"))
    return out.getvalue().split("\n")[:-1]


def line_of(form: str, **values: Any) -> str:
    (line,) = lines_of(form, lambda logger: logger.warning("something_happened", **values))
    return line


def without_time(line: str) -> str:
    """The line without when it was written: the digits of a moment may be those of any number."""
    words, times = re.subn(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "", line)
    assert times == 1
    return words


def test_a_line_for_people() -> None:
    line = line_of("console", call="1700000000.1", ms=12, ok=True, nothing=None, name="Trần Hưng", empty="")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z warning something_happened "
        r'call=1700000000\.1 empty="" ms=12 name="Trần Hưng" nothing=null ok=true',
        line,
    )


def test_a_line_for_collectors() -> None:
    found = json.loads(line_of("json", call="1700000000.1", ms=12, ok=True, name="Trần Hưng", more={"a": [1, "b"]}))
    assert found.pop("at").endswith("Z")
    assert found == {
        "level": "warning",
        "event": "something_happened",
        "call": "1700000000.1",
        "ms": 12,
        "ok": True,
        "name": "Trần Hưng",
        "more": {"a": [1, "b"]},
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["value", "key", "event", "deep"])
def test_nothing_ends_a_line_or_turns_it_round(form: str, place: str) -> None:
    forged = f"An{DANGEROUS}2026-11-22T10:00:00Z error forged"
    values: dict[str, Any] = {"value": {"who": forged}, "key": {forged: 1}, "deep": {"a": {"b": [forged]}}}.get(
        place, {}
    )
    event = forged if place == "event" else "said"
    (line,) = lines_of(form, lambda logger: logger.info(event, **values))
    assert not set(line) & set(DANGEROUS)
    assert "\\u202e" in line
    assert "forged" in line
    if form == "json":
        assert json.loads(line)["level"] == "info"


@given(st.text(), st.text(), st.sampled_from(FORMS))
def test_any_text_is_one_line(key: str, value: str, form: str) -> None:
    found = lines_of(form, lambda logger: logger.info("said", **{f"x{key}": value}))
    assert len(found) == 1
    assert found[0].isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", found[0])
    found[0].encode()
    if form == "json":
        assert isinstance(json.loads(found[0]), dict)


@given(st.text(min_size=1))
def test_a_quoted_value_ends_where_it_seems_to(value: str) -> None:
    line = line_of("console", a=value, z="end")
    head, _, tail = line.partition(" a=")
    assert head.endswith("something_happened")
    if tail.startswith('"'):
        _, end = json.JSONDecoder().raw_decode(tail)
        assert tail[end:] == " z=end"
    else:
        assert tail.count(" ") == 1
        assert tail.endswith(" z=end")


SECRETS = [
    {"password": "hunter2"},
    {"phone_password": "hunter2"},
    {"secret": "hunter2"},
    {"webhook-secret": "hunter2"},
    {"token": "hunter2"},
    {"admin_token": "hunter2"},
    {"Authorization": "Bearer hunter2hunter2"},
    {"tokens": ["hunter2", "hunter2"]},
    {"headers": {"authorization": "hunter2", "Cookie": "hunter2"}},
    {"rows": [{"name": "an", "password": "hunter2"}]},
    {"header": "Bearer hunter2hunter2"},
    {"why": "Basic hunter2hunter2== was refused"},
    {"url": "postgresql+asyncpg://an:hunter2@127.0.0.1/books"},
    {"why": "cannot open amqp://:hunter2@host/x"},
    {"why": "no such token td_hunter2hunter2hunter2"},
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("values", SECRETS, ids=str)
def test_a_secret_is_never_written(form: str, values: dict[str, Any]) -> None:
    line = line_of(form, **values)
    assert "hunter2" not in line
    assert log.HIDDEN in line


def test_a_word_that_only_looks_like_a_secret_s_name_is_written() -> None:
    line = line_of("console", tokenised="yes", passwordless="yes", secretary="Hà", count=3)
    assert log.HIDDEN not in line


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "key", ["caller", "callee", "number", "to", "from", "dialled", "caller_id", "pii_phone", "pii_anything"]
)
@pytest.mark.parametrize("value", ["+84912345678", "0912345678", 84912345678, "091 234 5678"])
def test_a_number_keeps_its_last_three_digits(form: str, key: str, value: object) -> None:
    line = without_time(line_of(form, **{key: value}))
    assert "***678" in line
    assert not re.search(r"234\D?5", line)


@pytest.mark.parametrize(("value", "shown"), [("113", "***"), ("Nguyễn Văn An", "***"), ("", ""), (None, None)])
def test_short_numbers_and_names_are_not_shown_at_all(value: object, shown: object) -> None:
    assert json.loads(line_of("json", pii_name=value))["pii_name"] == shown


def test_numbers_deep_inside_and_in_addresses_are_shortened_too() -> None:
    line = without_time(
        line_of("json", rows=[{"caller": "+84912345678"}], path="/explain?to=%2B84912345678&hotline=x&from=0912345678")
    )
    assert "2345" not in line
    assert line.count("***678") == 3
    assert "hotline=x" in line


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "text",
    [
        "no answer to PJSIP/0912345678@viettel-1",
        "POST /ari/channels/create?endpoint=PJSIP%2F0912345678%40viettel",
        "GET x%3d%2B84912345678 was refused",
        "CallArrived(caller='+84912345678', to='0084912345678')",
        "/api/v1/calls/84912345678",
    ],
)
def test_a_number_in_somebody_elses_words_keeps_its_last_three_digits(form: str, text: str) -> None:
    for line in (line_of(form, why=text), line_of(form, path=text), lines_of(form, lambda x: x.info(text))[0]):
        assert "12345" not in without_time(line)
        assert "***678" in line


@pytest.mark.parametrize(
    "text", ["call 1795369149.0.a1", "PJSIP/an-0000001c", "2026-11-22T20:13:01.123456789Z", "id 0.1"]
)
def test_names_of_calls_and_times_are_left_alone(text: str) -> None:
    assert json.loads(line_of("json", why=text))["why"] == text


def test_a_traceback_is_one_line_without_secrets() -> None:
    def fail(logger: Any) -> None:
        try:
            int("td_hunter2hunter2 at\nthe door")
        except ValueError:
            logger.exception("broke", call="1.1")

    for form in FORMS:
        (line,) = lines_of(form, fail)
        assert "ValueError" in line
        assert "test_log.py" in line
        assert "hunter2" not in line


@pytest.mark.parametrize("form", FORMS)
def test_other_libraries_come_out_the_same_way(form: str) -> None:
    def say(_logger: Any) -> None:
        logging.getLogger("aiohttp").warning("bad line %r\nfrom td_hunter2hunter2", "\x1b[31m")
        logging.getLogger("uvicorn").info("not asked for")
        try:
            int("gone")
        except ValueError:
            logging.getLogger("asyncio").exception("oops", extra={"password": "hunter2"})

    found = lines_of(form, say)
    assert len(found) == 2
    assert "hunter2" not in "".join(found)
    assert "\x1b" not in "".join(found)
    assert "aiohttp" in found[0] or "bad line" in found[0]
    assert "ValueError" in found[1]


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(level: str, count: int) -> None:
    def say(logger: Any) -> None:
        for name in ("debug", "info", "warning", "error"):
            getattr(logger, name)("said")

    assert len(lines_of("console", say, level)) == count


class Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stream", [Full(), None], ids=["disk full", "closed"])
def test_a_log_that_cannot_be_written_is_counted_and_stops_nobody(stream: TextIO | None) -> None:
    if stream is None:
        stream = io.StringIO()
        stream.close()
    before = log.lost_lines()
    log.configure("info", "console", stream)
    structlog.get_logger("x").info("said")
    logging.getLogger("y").error("said")
    assert log.lost_lines() == before + 2


def test_a_very_long_value_is_cut() -> None:
    assert len(line_of("console", why="x" * 1_000_000)) < 10_000
    deep: Any = "end"
    for _ in range(50):
        deep = [deep]
    assert len(line_of("json", deep=deep)) < 300
