"""Every sentence exists in both languages with the same parts, and is asked for by a name and parts that exist."""

from __future__ import annotations

import ast
from string import Formatter

import pytest

from controller.core.saying import LANGUAGES, Saying, say, told
from controller.core.sentences import SENTENCES
from tests.gate.repository import ROOT, name

pytestmark = pytest.mark.pure


def parts(sentence: str) -> set[str]:
    return {part for _, part, _, _ in Formatter().parse(sentence) if part is not None}


def asked() -> list[tuple[str, str, set[str]]]:
    """Every `say("…", …)` in the program: where, the name, the parts."""
    found = []
    for file in sorted((ROOT / "controller").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                place, given = f"{name(file)}:{node.lineno}", {row.arg or "" for row in node.keywords}
                found += [(place, sentence, given) for sentence in names_in(node.args[0])]
    return [row for row in found if row[1] in SENTENCES or row[2]]


def names_in(node: ast.expr) -> list[str]:
    """The constant a name is, or either of two."""
    if isinstance(node, ast.IfExp):
        return names_in(node.body) + names_in(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


@pytest.mark.parametrize("sentence", SENTENCES)
def test_both_languages_have_the_same_parts(sentence: str) -> None:
    english, vietnamese = SENTENCES[sentence]
    assert english
    assert vietnamese
    assert parts(english) == parts(vietnamese)


def test_who_says_something_names_a_sentence_and_all_its_parts() -> None:
    found = asked()
    assert len(found) > 150
    assert [row for row in found if row[1] not in SENTENCES or row[2] != parts(SENTENCES[row[1]][0])] == []


def test_no_sentence_is_left_over() -> None:
    text = "".join(file.read_text() for file in (ROOT / "controller").rglob("*.py") if file.name != "sentences.py")
    framework = {sentence for sentence in SENTENCES if sentence.startswith(("extra_", "string_", "int_", "literal_"))}
    framework |= {"greater_than_equal", "less_than_equal"}
    assert [sentence for sentence in SENTENCES if sentence not in framework and f'"{sentence}"' not in text] == []


def test_a_saying_inside_another_is_in_the_same_language() -> None:
    wrong = say("must_be", wanted=say("kind_text"), kind=say("kind_list"))
    assert str(wrong) == "must be text, not a list"
    assert wrong.told("vi") == "phải là văn bản, không phải danh sách"
    assert told("a word", "vi") == "a word"
    assert [told(Saying("missing"), language) for language in LANGUAGES] == ["is missing", "bị thiếu"]


def test_what_is_said_cannot_break_a_sentence() -> None:
    assert str(say("nobody_named", what="{queue}", name="{0}{x!r}", near="")) == "no {queue} is named '{0}{x!r}'"
