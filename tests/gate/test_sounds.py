"""Whatever the dialplan or the controller may play exists in both languages, in a form Asterisk plays without work."""

from __future__ import annotations

import re
import wave
from pathlib import Path

import pytest

from tests.gate.repository import ROOT

pytestmark = pytest.mark.pure

LANGUAGES = ("en", "vi")
PLAYED = re.compile(r"(?:Playback\(|LIMIT_WARNING_FILE=)(tongdai-[a-z_-]+)[,)]")
NAMED = re.compile(r'"(tongdai-(?:voicemail|welcome|closed)[a-z_-]*)"')
SMALLEST_MS, LARGEST_BYTES = 300, 62_000


def names(language: str) -> set[str]:
    return {file.stem for file in (ROOT / "sounds" / language).glob("*.wav")}


def refusals() -> set[str]:
    """The words a refused caller can meet, as controller/core/commands.py lists them, and the dialplan's own."""
    source = (ROOT / "controller/core/commands.py").read_text()
    listed = re.search(r"`refusal` is a word: ([a-z_,\s]+)\.", source)
    assert listed, "ReplyTrunks no longer lists its words"
    in_dialplan = re.findall(r"TD_REFUSAL=([a-z_]+)\)", (ROOT / "dialplan/outbound.conf").read_text())
    return {word.strip() for word in listed[1].split(",")} | set(in_dialplan)


def feature_words() -> set[str]:
    """The words `controller/agi/scripts.py` names a feature's sound by."""
    source = (ROOT / "controller/agi/scripts.py").read_text()
    body = source[source.index("def _sound(") :].split("\n\n\n")[0]
    words = set(re.findall(r'"([a-z_]+)"', body)) - {"not_found", "conflict"}
    return words | {"available", "not_ready", "not_agent"}


def played() -> set[str]:
    dialplan = "".join(file.read_text() for file in (ROOT / "dialplan").glob("*.conf"))
    program = "".join(file.read_text() for file in (ROOT / "controller").rglob("*.py"))
    fixed = {sound for sound in PLAYED.findall(dialplan) if not sound.endswith("-")}
    spoken = {f"tongdai-refused-{word}" for word in refusals()} | {
        f"tongdai-feature-{word}" for word in feature_words()
    }
    return fixed | spoken | set(NAMED.findall(program)) | {"welcome", "closed"}


def test_the_words_are_found_where_they_are_used() -> None:
    assert {
        "tongdai-fallback",
        "tongdai-emergency-failed",
        "tongdai-voicemail-prompt",
        "tongdai-talk-warning",
    } <= played()
    assert {"not_permitted", "no_trunk", "unavailable", "not_understood", "in_call"} <= refusals()
    assert {"available", "not_ready", "wrap_up_ended", "wrap_up_extended", "not_now"} <= feature_words()


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_may_be_played_exists(language: str) -> None:
    assert played() - names(language) == set()


def test_both_languages_say_the_same_things() -> None:
    assert names("vi") == names("en")
    lines = (ROOT / "sounds/texts.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert all(len(row) == 3 and all(row) for row in rows)
    assert {row[1] if row[0] in {"alias", "tone"} else row[0] for row in rows} == names("vi")


@pytest.mark.parametrize(
    "file", sorted((ROOT / "sounds").glob("*/*.wav")), ids=lambda file: f"{file.parent.name}/{file.stem}"
)
def test_a_sound_is_telephone_sound(file: Path) -> None:
    with wave.open(str(file)) as sound:
        assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (8000, 2, 1)
        assert sound.getnframes() / 8 > SMALLEST_MS
        loudest = max(abs(int.from_bytes(frame, "little", signed=True)) for frame in _pairs(sound.readframes(-1)))
    assert 8_000 < loudest < 32_000, "too quiet to understand, or clipped"
    assert file.stat().st_size < LARGEST_BYTES


def _pairs(data: bytes) -> list[bytes]:
    return [data[at : at + 2] for at in range(0, len(data), 2)]
