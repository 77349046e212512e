"""The setup as a file: lines in every mistake, the example, JSON and back, differences in words."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import setup_file, toml_document
from controller.core.setup import Setup
from controller.core.shape import Table
from controller.core.shape_desk import WAYS_OUT, WEEKDAYS
from controller.errors import SetupError
from tests.core.documents import BASE, changed

pytestmark = pytest.mark.pure

EXAMPLE = Path(__file__).parents[2] / "examples" / "setup.toml"


def example() -> str:
    return setup_file.read(EXAMPLE)


def refused(text: str, source: str = "setup.toml") -> tuple[str, ...]:
    with pytest.raises(SetupError) as caught:
        setup_file.parse(text, source)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_the_example_is_right_and_nothing_in_it_is_doubtful() -> None:
    found = setup_file.check(example())
    assert found.warnings == ()
    assert [row.name for row in found.setup.agents] == ["an", "binh", "chi"]
    assert [row.host for row in found.setup.trunks] == ["127.0.0.11:5070", "127.0.0.12:5070", "127.0.0.13:5070"]
    assert {row.carrier for row in found.setup.hotlines} == {"viettel", "mobifone", "vinaphone", ""}
    assert found.setup.adaptives[0].name == "auto"
    assert found.document["defaults"]


def test_a_mistake_has_its_file_line_key_and_reason() -> None:
    text = example().replace('trunk = "viettel-1"\noutbound', 'trunk = "vietel-1"\noutbound')
    line = text.split("\n").index('trunk = "vietel-1"') + 1
    assert refused(text, "my.toml") == (
        f"my.toml:{line}: hotline[0].trunk: no trunk is named 'vietel-1' (did you mean 'viettel-1'?)",
    )


def test_every_mistake_in_the_order_of_the_file() -> None:
    text = """
[[queue]]
name = "sales"
groups = [
  { name = "sales" },
  { name = "nobody" },
]
ring_time = 1

[[group]]
name = "sales"

[[hotline]]
number = "+842473001001"
queue = "sales"
colour = "red"
"""
    assert refused(text) == (
        f"setup.toml:2: queue[0].overflow: is missing, and so callers have no way out ({', '.join(WAYS_OUT)})",
        "setup.toml:6: queue[0].groups[1].name: no group is named 'nobody'",
        "setup.toml:8: queue[0].ring_time: 1 is out of range: 3 to 300",
        'setup.toml:13: hotline[0].trunk: is missing: only a hotline of kind = "virtual" has none',
        "setup.toml:16: hotline[0].colour: there is no such key here",
    )


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("[defaults]\ncountry = VN\n", "setup.toml:2: this is no TOML: "),
        ("[defaults]\n\ncountry = 'VN\n", "setup.toml:3: this is no TOML: "),
        ("a = 1\na = 2\n", "setup.toml:2: this is no TOML: Cannot overwrite a value"),
        ("a = 1\nb = [\n\n\n", "setup.toml:2: this is no TOML: "),
        ("a = '''\n", "setup.toml:1: this is no TOML: "),
        ("[[hotline]\n", "setup.toml:1: this is no TOML: "),
    ],
)
def test_what_is_no_toml_says_on_which_line(text: str, start: str) -> None:
    [problem] = refused(text)
    assert problem.startswith(start)


def test_words_of_the_library_without_a_place_stand_on_the_first_line() -> None:
    assert str(toml_document._syntax("something new", "a\nb", "x.toml")) == "x.toml:1: something new"


def test_texts_too_long_or_too_deep_are_refused() -> None:
    [problem] = refused("#" * (toml_document.BYTES_MAX + 1))
    assert "is longer than" in problem
    [problem] = refused("a = " + "[" * 5000 + "]" * 5000)
    assert problem == "setup.toml:1: is nested too deeply"
    [problem] = refused("a = 1" + "0" * 5000)
    assert problem.startswith("setup.toml:1: ")


def test_line_ends_and_marks_of_other_systems() -> None:
    plain = setup_file.parse(example())
    assert setup_file.parse(example().replace("\n", "\r\n")) == plain
    assert setup_file.parse("\ufeff" + example()) == plain


def test_reading_keeps_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "setup.toml"
    content = '\ufeff# Tổng Đài\r\n[defaults]\ncountry = "VN"'.encode()
    path.write_bytes(content)
    assert setup_file.read(path).encode() == content


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be read: No such file") as caught:
        setup_file.read(tmp_path / "gone.toml")
    assert len(caught.value.problems) == 1
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(SetupError, match=r"bad\.toml:2: is not UTF-8"):
        setup_file.read(bad)


def test_json_and_back() -> None:
    document = setup_file.to_document(example())
    again = json.loads(json.dumps(document))
    assert setup_file.parse_document(again) == setup_file.parse(example())
    assert setup_file.parse(setup_file.to_toml(again)) == setup_file.parse(example())
    assert setup_file.to_document(setup_file.to_toml(again)) == again


def test_tomls_own_dates_become_text() -> None:
    text = '[[schedule]]\nname = "x"\nopen = {}\nholidays = [2027-01-01]\n'
    text += '[[blocked]]\nnumber = "113"\nuntil = 2027-01-01T08:00:00Z\n'
    document = setup_file.to_document(text)
    assert json.loads(json.dumps(document)) == document
    assert setup_file.parse_document(document) == setup_file.parse(text)


def test_a_json_document_has_no_lines() -> None:
    with pytest.raises(SetupError) as caught:
        setup_file.parse_document(changed(("queue.0.ring_time", 2)))
    assert caught.value.problems == ("queue[0].ring_time: 2 is out of range: 3 to 300",)
    assert setup_file.parse_document(BASE).queues[0].ring_time == 15


@pytest.mark.parametrize("document", [None, [], "text", 5])
def test_what_is_no_document(document: object) -> None:
    with pytest.raises(SetupError, match="must be a JSON object"):
        setup_file.parse_document(document)


def test_warnings_have_lines_too() -> None:
    text = example().replace('carrier = "vinaphone"', 'carrier = "cmc"')
    line = text.split("\n").index('carrier = "cmc"') + 1
    where = f"setup.toml:{line}: trunk[2].carrier"
    [warning] = setup_file.check(text).warnings
    assert str(warning) == f"{where}: 'cmc' is in no table of carriers, so it holds no prefixes"


def test_the_instant_matters_to_what_is_over() -> None:
    text = '[[blocked]]\nnumber = "113"\nuntil = "2027-01-01"\n'
    assert setup_file.check(text, now_ms=0).warnings == ()
    assert len(setup_file.check(text, now_ms=4_000_000_000_000).warnings) == 1


def test_a_difference_is_told_by_meaning_and_keeps_secrets() -> None:
    new = example().replace("wrap_up = 15", "wrap_up = 30").replace("lab-only-an-7Q2", "another-one")
    new = new.replace("# s waiting unanswered", "# another comment")
    lines = setup_file.diff(example(), new)
    assert len(lines) == 2
    assert "hotline +842473001001" in lines[0]
    assert "15" in lines[0]
    assert "30" in lines[0]
    assert "agent an" in lines[1]
    assert "lab-only" not in lines[1]
    assert "another-one" not in lines[1]
    assert setup_file.diff(example(), "# the same\n" + example()) == ()


def test_an_empty_file_is_an_empty_setup() -> None:
    plain = setup_file.parse("# nothing\n")
    assert setup_file.parse("") == Setup(carriers=plain.carriers, carriers_from=plain.carriers_from)


def mistakes(text: str) -> tuple[str, ...]:
    """Every mistake of a text, none when it is a setup."""
    try:
        setup_file.check(text)
    except SetupError as error:
        return error.problems or ("refused without a reason",)
    return ()


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text("[]{}\"'=#,.\n ab1", max_size=60))
def test_any_text_is_a_setup_or_a_list_of_mistakes(text: str) -> None:
    assert all(line.startswith("setup.toml:") and "\n" not in line for line in mistakes(text))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 6000), st.integers(0, 40), st.sampled_from(["", "x", "\n", '"', "[", "}", "#", "= 5"]))
def test_the_example_damaged_anywhere_is_a_setup_or_a_list_of_mistakes(at: int, length: int, put: str) -> None:
    text = example()
    damaged = text[:at] + put + text[at + length :]
    for line in mistakes(damaged):
        assert 1 <= int(line.split(":")[1]) <= damaged.count("\n") + 1
        assert "\n" not in line


MANUAL = Path(__file__).parents[2] / "docs" / "setup.md"


def pieces() -> str:
    """The TOML blocks of the manual, which are one setup."""
    return "\n".join(block.partition("```")[0] for block in MANUAL.read_text("utf-8").split("```toml\n")[1:])


def test_the_blocks_of_the_manual_are_one_setup() -> None:
    found = setup_file.check(pieces())
    assert found.warnings == ()
    assert found.setup.carrier["itel"].group == found.setup.carrier["vinaphone"].group
    assert found.setup.hotlines[0].fallback.kind == "ring"


def test_the_manual_names_and_shows_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, set[str]] = {}

    def done(table: Table) -> None:
        if table.place:
            asked.setdefault(str(table.place[0]), set()).update(table._asked)

    monkeypatch.setattr(Table, "done", done)
    setup_file.check(pieces())
    manual = MANUAL.read_text("utf-8")
    assert set(asked) == {*BASE, "carrier"}
    for name, keys in asked.items():
        for key in sorted(keys - set(WEEKDAYS)):
            assert f"`{key}`" in manual or f" {key} =" in manual, f"{name}.{key} is not explained"
            assert re.search(rf"(^|[ {{]){re.escape(key)} = ", manual, re.MULTILINE), f"{name}.{key} is not shown"


@pytest.mark.parametrize(
    "key", ["a." * 200_000 + "b = 1", "[" + '"a" . ' * 100_000 + "b]", "x = {" + "'a'." * 100_000 + "b=1}"]
)
def test_a_key_of_endless_parts_is_refused_at_once(key: str) -> None:
    """Found by attack: the library's time grows with the square of the parts, and nothing can stop it once begun."""
    began = time.thread_time()
    with pytest.raises(SetupError, match=r"setup\.toml:2: a key of more than 32 parts"):
        setup_file.parse(f"# first\n{key}\n")
    assert time.thread_time() - began < 5


def test_texts_with_many_dots_are_no_keys() -> None:
    dots = ".".join("1" * 30)
    text = f'[[group]]\nname = "a"\n# {"." * 1000} {dots}\n[[carrier]]\nname = "x"\naliases = ["{dots}"]\n'
    assert setup_file.parse(text).groups[0].name == "a"


def test_thousands_of_mistakes_are_told_in_time() -> None:
    """Found by attack: a suggestion for each of them took minutes."""
    began = time.thread_time()
    with pytest.raises(SetupError) as told:
        setup_file.parse("".join(f"k{n} = 1\n" for n in range(20_000)))
    assert len(told.value.problems) == 1_000
    names = "".join(f'[[group]]\nname = "group-{n}"\n' for n in range(1_000))
    with pytest.raises(SetupError):
        setup_file.parse(names + "".join(f'[[agent]]\nname = "a{n}"\ngroups = ["gruop-{n}"]\n' for n in range(2_000)))
    assert time.thread_time() - began < 15
