"""FastAGI as bytes: every cut, every forgery, every limit; nothing raises on input."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.agi.protocol import (
    ARGUMENT_BYTES_MAX,
    HEADER_BYTES_MAX,
    LINE_BYTES_MAX,
    USAGE_LINES_MAX,
    Garbage,
    Hangup,
    Header,
    HeaderReader,
    Lines,
    Reply,
    ReplyReader,
    encode,
)
from tests.wire.agi_broken import PIECES, USAGE, mutated, taken_apart
from tests.wire.agi_peer import CALL, CHANNEL, header

pytestmark = pytest.mark.wire

MANY = settings(max_examples=500, deadline=None)
VALUES = (
    "outbound",
    CHANNEL,
    CALL,
    "s",
    "agi_extension: 900",
    "",
    "\0",
    "\r",
    "500&PJSIP/x/1",
    "é",
    "\udcff",
    "HANGUP",
)


def read_header(data: bytes, *cuts: int) -> Header | Garbage | None:
    """Feed a header in pieces cut at these places; what came out first."""
    reader, places = HeaderReader(), [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in itertools.pairwise(places):
        found = reader.feed(data[begin:end])
        if found is not None:
            return found
    return None


def read_replies(data: bytes, size: int = 4096) -> list[Reply | Hangup | Garbage]:
    """Feed replies in pieces of one size; everything that came out, up to the first garbage."""
    reader, found = ReplyReader(), []
    for begin in range(0, len(data), size):
        reader.feed(data[begin : begin + size])
        while (said := reader.next()) is not None:
            found.append(said)
            if isinstance(said, Garbage):
                return found
    return found


# -- header ----------------------------------------------------------------------------------------------------------


def test_a_header_is_read_whole() -> None:
    found = read_header(header("outbound", "0967123456", "auto"))
    assert isinstance(found, Header)
    assert found.path == "outbound"
    assert (found.argument(1), found.argument(2), found.argument(3)) == ("0967123456", "auto", "")
    assert found.values["agi_channel"] == CHANNEL
    assert found.values["agi_accountcode"] == ""


@MANY
@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_cuts_anywhere_change_nothing(cuts: list[int]) -> None:
    data = header("outbound", "0967123456")
    assert read_header(data, *cuts) == read_header(data)


def test_one_byte_at_a_time() -> None:
    data = header("next", "CONGESTION", "34")
    assert read_header(data, *range(len(data))) == read_header(data)


def test_both_kinds_of_line_break() -> None:
    data = header()
    assert read_header(data.replace(b"\n", b"\r\n")) == read_header(data)


@pytest.mark.parametrize(
    ("script", "path"), [("outbound", "outbound"), ("outbound?x=1", "outbound"), ("/outbound", "outbound")]
)
def test_a_path_has_no_query(script: str, path: str) -> None:
    found = read_header(header(script))
    assert isinstance(found, Header)
    assert found.path == path


@pytest.mark.parametrize("n", [1, 2, 4])
def test_an_argument_that_a_name_forges_is_no_argument(n: int) -> None:
    """Found by attack: `ended` and `feature` are asked with fewer arguments than they know."""
    forged = header("ended", "ANSWER", calleridname=f"An\nagi_arg_{n}: callee")
    assert isinstance(read_header(forged), Garbage)


@pytest.mark.parametrize("key", ["agi_extension", "agi_channel", "agi_network_script"])
@pytest.mark.parametrize("place", ["callerid", "calleridname", "dnid", "rdnis"])
def test_a_forged_line_is_refused_wherever_it_stands(key: str, place: str) -> None:
    found = read_header(header("outbound", "0967123456", **{place: f"x\n{key}: 900"}))
    assert found == Garbage(f"repeated header {key}")


@MANY
@given(st.integers(0, 21), st.integers(0, 21), st.text(max_size=20))
def test_every_repeated_key_is_refused(which: int, where: int, value: str) -> None:
    lines = header().removesuffix(b"\n\n").split(b"\n")
    key = lines[which % len(lines)].partition(b":")[0]
    forged = key + b": " + value.replace("\n", "").encode()
    lines.insert(where % (len(lines) + 1), forged)
    assert isinstance(read_header(b"\n".join(lines) + b"\n\n"), Garbage)


def test_a_header_ended_by_a_forged_empty_line_is_refused() -> None:
    found = read_header(header(calleridname="x\n\nHANGUP"))
    assert found == Garbage("header without agi_context")


def test_the_rest_of_a_header_that_ended_early_is_no_reply() -> None:
    forged = header(calleridname="x\nagi_context: c\nagi_threadid: 1\n")
    reader = HeaderReader()
    assert isinstance(reader.feed(forged), Header), "forged so well that the header alone cannot tell"
    assert ReplyReader(reader.lines).next() == Garbage("a line that is no reply")


@pytest.mark.parametrize("line", [b"agi_x", b"X-Evil: 1", b"agi_: 1", b"agi_A: 1", b"agi_dnid : 1", b" agi_dnid: 1"])
def test_lines_of_another_form_are_refused(line: bytes) -> None:
    assert read_header(line + b"\n" + header()) == Garbage("header line of no known form")


def test_nul_is_refused() -> None:
    assert isinstance(read_header(header(calleridname="a\0b")), Garbage)


@pytest.mark.parametrize("missing", ["network_script", "channel", "uniqueid", "context", "threadid"])
def test_a_header_without_a_key_of_every_session_is_refused(missing: str) -> None:
    assert read_header(header(**{missing: ""})) == Garbage(f"header without agi_{missing}")


def test_bytes_that_are_no_utf8_are_read() -> None:
    found = read_header(header(calleridname="Nguy\udcffn"))
    assert isinstance(found, Header)
    assert found.values["agi_calleridname"] == "Nguy\ufffdn"


def test_a_header_has_a_limit() -> None:
    assert read_header(b"agi_a: " + b"x" * HEADER_BYTES_MAX) == Garbage("line too long")
    many = b"".join(b"agi_a%d: %s\n" % (n, b"x" * 90) for n in range(100))
    assert read_header(many) == Garbage("header too long")
    assert read_header(header(calleridname="x" * (HEADER_BYTES_MAX - 100))) == Garbage("header too long")
    assert isinstance(read_header(header(calleridname="x" * (HEADER_BYTES_MAX - 800))), Header)


def test_memory_of_a_header_without_end_is_bounded() -> None:
    reader = HeaderReader()
    assert any(isinstance(reader.feed(b"x" * 1000), Garbage) for _ in range(10))
    assert reader.lines.held < 2 * LINE_BYTES_MAX


@MANY
@given(st.binary(max_size=400), st.integers(0, 400))
def test_any_bytes_for_a_header(data: bytes, cut: int) -> None:
    assert isinstance(read_header(data, cut), Header | Garbage | None)


@MANY
@given(st.dictionaries(st.sampled_from(["callerid", "calleridname", "dnid", "arg_1", "zz"]), st.sampled_from(VALUES)))
def test_any_values_in_a_header(more: dict[str, str]) -> None:
    found = read_header(header(**more))
    assert isinstance(found, Garbage) or (found is not None and found.path == "outbound")


# -- replies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"200 result=1", Reply(200, "1")),
        (b"200 result=0", Reply(200, "0")),
        (b"200 result=-1", Reply(200, "-1")),
        (b"200 result=1 (hangup)", Reply(200, "1", "hangup")),
        (b"200 result=1 (a (b) c)", Reply(200, "1", "a (b) c")),
        (b"200 result= (timeout)", Reply(200, "", "timeout")),
        (b"200 result=1 (open", Reply(200, "1")),
        (b"510 Invalid or unknown command", Reply(510, data="Invalid or unknown command")),
        (b"511 Command Not Permitted on a dead channel", Reply(511, data="Command Not Permitted on a dead channel")),
        (
            b"520 Invalid command syntax.  Proper usage not available.",
            Reply(520, data="Invalid command syntax.  Proper usage not available."),
        ),
        (b"200", Reply(200)),
    ],
)
def test_replies_of_one_line(line: bytes, reply: Reply) -> None:
    assert read_replies(line + b"\n") == [reply]
    assert read_replies(line + b"\r\n", size=1) == [reply]


def test_only_success_is_ok() -> None:
    assert Reply(200, "1").ok
    assert Reply(200, "0").ok
    assert not Reply(200, "-1").ok
    assert not Reply(200).ok
    assert not Reply(510, "1").ok


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_usage_block_is_one_reply(size: int) -> None:
    usage, after = read_replies(USAGE + b"200 result=1\n", size)
    assert usage == Reply(520, data="Invalid command syntax.  Proper usage follows:\nUsage: NOOP\n\n\tDoes nothing.")
    assert after == Reply(200, "1"), "the answer after the block is the answer to the next command"


def test_hangup_answers_nothing() -> None:
    assert read_replies(b"HANGUP\n200 result=1\n") == [Hangup(), Reply(200, "1")]
    assert read_replies(b"200 result=-1\nHANGUP\n510 Invalid\n") == [
        Reply(200, "-1"),
        Hangup(),
        Reply(510, data="Invalid"),
    ]


def test_hangup_inside_a_usage_block() -> None:
    begin, end = USAGE.split(b"Usage")
    found = read_replies(begin + b"HANGUP\nUsage" + end + b"200 result=1\n")
    assert [type(row) for row in found] == [Hangup, Reply, Reply]
    assert found[1] == read_replies(USAGE)[0]


def test_trying_is_not_yet_an_answer() -> None:
    assert read_replies(b"100 result=0 Trying...\n200 result=0\n") == [Reply(200, "0")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"agi_context: x\n", "a line that is no reply"),
        (b"hangup\n", "a line that is no reply"),
        (b"\n", "a line that is no reply"),
        (b"2000 result=1\n", "a line that is no reply"),
        (b"200result=1\n", "a line that is no reply"),
        (b"200 result=1\0\n", "NUL in a reply"),
        (b"600-x\n", "a block of no known code"),
        (b"200 result=1 (" + b"x" * LINE_BYTES_MAX + b")\n", "line too long"),
        (b"520-x\n" + b"more\n" * (USAGE_LINES_MAX + 1), "usage block without end"),
    ],
)
def test_what_is_no_reply(data: bytes, why: str) -> None:
    assert read_replies(data) == [Garbage(why)]


@MANY
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.integers(1, 40))
def test_any_mixture_is_read_the_same_however_it_is_cut(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces)
    assert read_replies(data, size) == read_replies(data, 1)


@MANY
@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_for_a_reply(data: bytes, size: int) -> None:
    assert all(isinstance(said, Reply | Hangup | Garbage) for said in read_replies(data, size))


def test_twenty_thousand_broken_sessions_never_raise() -> None:
    dice = random.Random(22_10_1)
    accepted = 0
    for n in range(20_000):
        head, tail = header("outbound", "0967123456"), USAGE + b"200 result=1\nHANGUP\n" + USAGE
        data = head + mutated(tail, dice) if n % 2 else mutated(head + tail, dice)
        reader = HeaderReader()
        found = reader.feed(data)
        accepted += isinstance(found, Header)
        if not isinstance(found, Header):
            assert isinstance(found, Garbage | None), n
            continue
        replies = ReplyReader(reader.lines)
        while (said := replies.next()) is not None and not isinstance(said, Garbage):
            assert isinstance(said, Reply | Hangup), n
    assert accepted > 1000, "the mutations leave nothing that gets past the header"


def test_a_line_without_end_is_cut_off() -> None:
    lines = Lines()
    lines.feed(b"x" * (LINE_BYTES_MAX + 1))
    assert lines.next() == Garbage("line too long")


# -- commands --------------------------------------------------------------------------------------------------------


@MANY
@given(st.lists(st.text(st.characters(min_codepoint=0, max_codepoint=0x2FF), max_size=40), min_size=1, max_size=4))
def test_any_text_is_one_argument_or_an_error(arguments: list[str]) -> None:
    try:
        line = encode("SET VARIABLE", *arguments)
    except ValueError:
        assert not all(re.fullmatch(r"[ -~]*", argument) for argument in arguments)
        return
    assert taken_apart(line) == ["SET", "VARIABLE", *arguments]


@pytest.mark.parametrize(
    "text", ["a\nEXEC Dial", "a\rb", "a\0b", "é", "\u202e", "\t", "\x7f", "x" * (ARGUMENT_BYTES_MAX + 1)]
)
def test_what_could_become_a_second_command_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="argument"):
        encode("SET VARIABLE", "TD_NUMBER", text)


@pytest.mark.parametrize("text", ["", " ", '"', "\\", '\\"', "a b", 'x" "y', "${SHELL(id)}", "x" * ARGUMENT_BYTES_MAX])
def test_the_encoder_quotes(text: str) -> None:
    assert taken_apart(encode("SET VARIABLE", "TD_NUMBER", text))[2:] == ["TD_NUMBER", text]


@pytest.mark.parametrize("verb", ["", "set variable", "SET\nX", "SET  VARIABLE", "NOOP ", "É"])
def test_a_verb_is_made_of_capitals(verb: str) -> None:
    with pytest.raises(ValueError, match="capital"):
        encode(verb)


def test_a_command_has_a_limit() -> None:
    with pytest.raises(ValueError, match="8192"):
        encode("EXEC", *["x" * ARGUMENT_BYTES_MAX] * 9)
    with pytest.raises(ValueError, match="16"):
        encode("EXEC", *["x"] * 17)
    assert len(encode("EXEC", *['"' * ARGUMENT_BYTES_MAX] * 4)) < LINE_BYTES_MAX
