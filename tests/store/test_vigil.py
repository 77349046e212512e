"""When a standby may take the lease: every reason, and every reason to wait."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.store.vigil import DOUBT_S, GAP_S, GONE_LOOKS, LOOK_EVERY_S, SILENT_S, Seen, Vigil

pytestmark = pytest.mark.pure

LED = Seen("secret", "pbx1:8090", "http://127.0.0.1:8090", 3, 7, alive=True)


def _looks(vigil: Vigil, seen: Seen, seconds: float, from_s: float = 0.0, every_s: float = LOOK_EVERY_S) -> list[str]:
    return [vigil.judge(seen, from_s + n * every_s) for n in range(int(seconds / every_s + 0.5) + 1)]


def test_a_holder_who_lives_is_left_alone() -> None:
    vigil = Vigil("me")
    for beat in range(100):
        assert vigil.judge(replace(LED, beat=beat), beat * 0.5) == ""


def test_a_silent_holder_is_given_three_seconds() -> None:
    found = _looks(Vigil("me"), LED, SILENT_S)
    assert set(found[:-1]) == {""}
    assert found[-1] == "pbx1:8090 has been silent for 3 s"


def test_silence_nobody_watched_does_not_count() -> None:
    """The database was silent to both: its holder may be quite well."""
    vigil = Vigil("me")
    assert set(_looks(vigil, LED, SILENT_S - LOOK_EVERY_S)) == {""}
    after_s = SILENT_S + GAP_S + 1.0
    assert vigil.judge(LED, after_s) == ""
    assert set(_looks(vigil, LED, SILENT_S - LOOK_EVERY_S, after_s)) == {""}
    assert vigil.judge(LED, after_s + SILENT_S) != ""


def test_a_beat_or_another_lead_begins_the_wait_anew() -> None:
    for change in ({"beat": 8}, {"epoch": 4, "beat": 7}):
        vigil = Vigil("me")
        assert set(_looks(vigil, LED, SILENT_S - LOOK_EVERY_S)) == {""}
        assert set(_looks(vigil, replace(LED, **change), SILENT_S - LOOK_EVERY_S, SILENT_S)) == {""}


def test_a_free_lease_is_taken_at_once() -> None:
    assert Vigil("me").judge(replace(LED, holder="", alive=False), 0.0) == "nobody leads"


def test_a_holder_without_a_session_is_given_the_time_to_mend_it() -> None:
    vigil, gone = Vigil("me"), replace(LED, alive=False)
    assert set(_looks(vigil, gone, (GONE_LOOKS - 2) * LOOK_EVERY_S)) == {""}
    assert vigil.judge(LED, 1.0) == ""
    found = _looks(vigil, gone, (GONE_LOOKS - 1) * LOOK_EVERY_S, 1.1)
    assert found == ["", "", "pbx1:8090 is gone"]


def test_our_own_last_life_is_not_waited_for_once_it_is_gone() -> None:
    assert Vigil(LED.name).judge(LED, 0.0) == ""
    assert Vigil(LED.name).judge(replace(LED, alive=False), 0.0) == "it was ours in an earlier life"


def test_a_holder_is_doubted_before_the_lease_is_taken() -> None:
    """Books that cannot be written would silence a living one too, so the next look proves that they can."""
    silent = Vigil("me")
    assert not silent.doubts
    _looks(silent, LED, DOUBT_S - LOOK_EVERY_S)
    assert not silent.doubts
    assert silent.judge(LED, DOUBT_S) == ""
    assert silent.doubts
    silent.judge(replace(LED, beat=8), DOUBT_S + LOOK_EVERY_S)
    assert not silent.doubts
    gone = Vigil("me")
    gone.judge(replace(LED, alive=False), 0.0)
    assert gone.doubts
    free = Vigil("me")
    assert free.judge(replace(LED, holder=""), 0.0) == "nobody leads"
    assert free.doubts, "it could not be taken"


def test_silence_while_the_books_could_not_be_written_does_not_count() -> None:
    """Looks that were to prove it have failed, so a holder that could not speak is given its three seconds again."""
    vigil = Vigil("me")
    _looks(vigil, LED, DOUBT_S)
    room_s = DOUBT_S + GAP_S + 2 * LOOK_EVERY_S
    assert set(_looks(vigil, LED, SILENT_S - LOOK_EVERY_S, room_s)) == {""}
    assert vigil.judge(LED, room_s + SILENT_S) != ""
