"""Which Asterisk is chosen, with small programs that only say their version standing for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.lab import get_asterisk
from controller.lab.get_asterisk import AsteriskError, Support, find_asterisk

pytestmark = pytest.mark.wire


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Asterisk, and an empty clone."""
    monkeypatch.setattr(get_asterisk, "SYSTEM_FOLDERS", ())
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(get_asterisk, "CLONE", tmp_path / "clone")
    return tmp_path


def a_program(at: Path, says: str) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(f"#!/bin/sh\necho '{says}'\n")
    at.chmod(0o755)


def on_path(home: Path, monkeypatch: pytest.MonkeyPatch, says: str, *, whole: bool = True) -> Path:
    """An installed Asterisk below `home`, its modules and data beside it as `make install` puts them."""
    program = home / "sbin/asterisk"
    a_program(program, says)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    if whole:
        (home / "lib/asterisk/modules").mkdir(parents=True)
        (home / "lib/asterisk/modules/chan_pjsip.so").touch()
        (home / "share/asterisk/documentation").mkdir(parents=True)
        (home / "share/asterisk/documentation/core-en_US.xml").touch()
    return program


def unpacked(tree: Path, says: str) -> Path:
    """A tree as `make setup` leaves it; its loader answers for the program."""
    a_program(tree / "usr/lib64/ld-linux-x86-64.so.2", says)
    a_program(tree / "usr/sbin/asterisk", "never started directly")
    return tree


def test_a_supported_one_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = on_path(tmp_path / "opt", monkeypatch, "Asterisk 22.10.1")
    unpacked(tmp_path / ".asterisk", "Asterisk 22.11.0")
    found = find_asterisk()
    assert (found.version, found.argv, found.support) == ("22.10.1", (str(program),), Support.FULL)
    assert found.modules_dir == tmp_path / "opt/lib/asterisk/modules"
    assert found.var_lib_dir == tmp_path / "opt/share/asterisk"


@pytest.mark.parametrize(
    ("says", "whole", "reason"),
    [
        ("Asterisk 18.1.0", True, "supported are"),
        ("Asterisk 22.10.1", False, "no PJSIP modules"),
        ("", True, "not a release"),
    ],
)
def test_an_unfit_one_on_path_gives_way_to_the_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, whole: bool, reason: str
) -> None:
    program = on_path(tmp_path / "opt", monkeypatch, says, whole=whole)
    with pytest.raises(AsteriskError) as refused:
        find_asterisk()
    assert str(program) in str(refused.value)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)

    unpacked(tmp_path / ".asterisk", "Asterisk 22.10.1")
    assert find_asterisk().program == str(tmp_path / ".asterisk/usr/sbin/asterisk")


def test_a_reduced_one_is_used_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(tmp_path / "opt", monkeypatch, "Asterisk 20.15.1")
    found = find_asterisk()
    assert found.support is Support.REDUCED
    assert found.note


def test_a_named_tree_wins_over_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(tmp_path / "opt", monkeypatch, "Asterisk 22.10.1")
    tree = unpacked(tmp_path / "mine", "Asterisk 22.12.0")
    found = find_asterisk(tree)
    assert found.version == "22.12.0"
    assert found.argv[:2] == (str(tree / "usr/lib64/ld-linux-x86-64.so.2"), "--library-path")


def test_the_clone_serves_from_any_folder(tmp_path: Path) -> None:
    unpacked(tmp_path / "clone/.asterisk", "Asterisk 22.10.1")
    assert find_asterisk().program == str(tmp_path / "clone/.asterisk/usr/sbin/asterisk")


def test_a_named_tree_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AsteriskError, match="make setup"):
        find_asterisk(tmp_path)
    with pytest.raises(AsteriskError, match=r"18\.1\.0"):
        find_asterisk(unpacked(tmp_path / "old", "Asterisk 18.1.0"))


def test_nothing_at_all_names_the_way_out() -> None:
    with pytest.raises(AsteriskError, match="make setup"):
        find_asterisk()


def test_setup_says_one_line_when_it_cannot_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def no_packages(_packages: object) -> list[object]:
        raise get_asterisk.debian.UnpackError("apt-get failed: no network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(get_asterisk.debian, "fetch", no_packages)
        code = get_asterisk.main(["--into", str(tmp_path / "new")])
    said = capsys.readouterr()
    assert code == 1
    assert said.err == "setup: no Asterisk: apt-get failed: no network\n"
    assert not (tmp_path / "new").exists()
