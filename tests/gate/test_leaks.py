"""The look for leaks that every lab of the live tests ends with finds what it is meant to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.leaks import leaks, secrets_of

pytestmark = pytest.mark.pure

SECRET = "made-at-random-and-long"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    for name, text in (
        ("daemon.log", "2026-11-22T20:13:01Z info call=1795369149.0.a1 caller=***678 peer=127.0.0.1:45678\n"),
        ("asterisk.log", "Dialing 0912345678\n"),
        ("journal/1-2.jsonl", '[1795369149000,"1795369149.0","event","CallArrived","",{"caller":"0912345678"}]\n'),
        ("tongdai.db", "0912345678"),
        ("lab.json", SECRET),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def test_a_lab_that_keeps_its_secrets(lab: Path) -> None:
    assert leaks(lab, {"/metrics": "tongdai_calls 0.0 1795369149.0\n"}, {SECRET}) == []


@pytest.mark.parametrize("name", ["daemon.log", "asterisk.log", "journal/1-2.jsonl"])
@pytest.mark.parametrize("leak", [SECRET, "td_abcdefghijklmnopqrstuvwxyz012345"])
def test_a_secret_anywhere(lab: Path, name: str, leak: str) -> None:
    with (lab / name).open("a") as file:
        file.write(f"why={leak}\n")
    (lab / name).chmod(0o600)
    (found,) = leaks(lab, {}, {SECRET})
    assert found.startswith(name)
    assert leak not in found


@pytest.mark.parametrize("number", [
    "0912345678", "+84912345678", "02473001001", "PJSIP/0912345678@viettel", "+14155512345", "0088216212345",
])  # fmt: skip
def test_a_whole_number_in_log_and_figures(lab: Path, number: str) -> None:
    assert leaks(lab, {"/metrics": f'x{{caller="{number}"}} 1'}, set()) != []
    (lab / "daemon.log").write_text(f"warning why={number}")
    (found,) = leaks(lab, {}, set())
    assert "12345" not in found


@pytest.mark.parametrize("name", ["lab.json", "tongdai.db", "daemon.log", "journal/1-2.jsonl"])
def test_a_file_that_others_may_read(lab: Path, name: str) -> None:
    (lab / name).chmod(0o644)
    assert leaks(lab, {}, set()) == [f"{name}: can be read by others"]


def test_the_secrets_of_a_setup_are_all_found() -> None:
    setup = {"agent": [{"phone": {"password": "one"}}, {"phone": {"user": "x"}}], "webhook": [{"secret": "two"}]}
    assert list(secrets_of(setup)) == ["one", "two"]
