"""Nothing that has a meaning in an Asterisk configuration file passes an alphabet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.alphabets import CONTACT, DIGITS, EXTENSION, FILE, HOST, NAME, SECRET, WORD, Alphabet

pytestmark = pytest.mark.pure

STRICT = {"NAME": NAME, "FILE": FILE, "EXTENSION": EXTENSION, "DIGITS": DIGITS, "WORD": WORD}
WRITTEN = {**STRICT, "SECRET": SECRET, "CONTACT": CONTACT, "HOST": HOST}


@pytest.mark.parametrize("alphabet", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize(
    "text", ["a;b", "a\nb", "a\rb", "a b", "a\\b", 'a"b', "a>b", "a<b", "a\x00b", "a\tb", "bình", "a`b", "", "５"]
)
def test_no_comment_no_break_no_quote(alphabet: Alphabet, text: str) -> None:
    assert alphabet.pattern.fullmatch(text) is None


@pytest.mark.parametrize("alphabet", STRICT.values(), ids=STRICT)
@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=80))
def test_names_are_plain(alphabet: Alphabet, text: str) -> None:
    if alphabet.pattern.fullmatch(text):
        assert text.isascii()
        assert not set(text) & set(";,\n\r\"'\\[](){}<>=&|$ ")


@pytest.mark.parametrize("text", ["../../etc/passwd", "a/../b", "/etc/passwd", "a//b", "-rf", ".hidden"])
def test_sound_files_stay_in_their_folder(text: str) -> None:
    assert FILE.pattern.fullmatch(text) is None


@pytest.mark.parametrize(
    "text",
    ["sip:an@127.0.0.21:5071", "sips:an@pbx.example.com", "sip:127.0.0.1", "sip:a.b+c@[::1]:5060"],
)
def test_contacts(text: str) -> None:
    assert CONTACT.pattern.fullmatch(text)


@pytest.mark.parametrize("text", ["an@127.0.0.1", "tel:123", "sip:an@h;transport=tcp", "sip:an@h:123456", "sip:a@b@c"])
def test_no_contacts(text: str) -> None:
    assert CONTACT.pattern.fullmatch(text) is None


def test_names_have_a_length() -> None:
    assert NAME.pattern.fullmatch("a" * 64)
    assert NAME.pattern.fullmatch("a" * 65) is None
    assert SECRET.pattern.fullmatch("a" * 129) is None
