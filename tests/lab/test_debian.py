"""Packages made here with dpkg-deb stand for Debian's: what is unpacked, what is left out, what is trusted."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from controller.lab import debian
from controller.lab.debian import Package, UnpackError

pytestmark = pytest.mark.wire

LOADER = "usr/lib64/ld-linux-x86-64.so.2"
LIBRARIES = "usr/lib/x86_64-linux-gnu"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = debian.cache_folder()
    folder.mkdir(parents=True)
    return folder


def make_deb(cache: Path, name: str, files: dict[str, str]) -> Package:
    """Build a package of these files and put it into the cache."""
    source = cache / "sources" / name
    for path, content in {"DEBIAN/control": _control(name), **files}.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(content)
    (source / "DEBIAN").chmod(0o755)  # whatever the machine's own mask: another one dpkg-deb does not take
    deb = cache / f"{name}_1.0_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", source, deb], check=True, capture_output=True)
    shutil.rmtree(cache / "sources")
    return Package(deb.name, "1.0", hashlib.sha256(deb.read_bytes()).hexdigest())


def _control(name: str) -> str:
    return (
        f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: x\n"
    )


def remember(cache: Path, packages: list[Package]) -> None:
    rows = [{"file": one.file, "version": one.version, "sha256": one.sha256} for one in packages]
    (cache / f"asterisk-{debian.machine()}.json").write_text(json.dumps(rows))


def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make every download fail, and note that it was tried."""
    tried: list[str] = []

    def refuse(packages: list[str], folder: Path, manifest: Path) -> list[Package]:
        tried.extend(packages)
        raise UnpackError("no network here")

    monkeypatch.setattr(debian, "_download", refuse)
    return tried


def test_unpacking_leaves_out_what_nobody_runs(cache: Path, tmp_path: Path) -> None:
    deb = make_deb(
        cache,
        "asterisk",
        {"usr/sbin/asterisk": "program", "usr/share/doc/asterisk/README": "long", "etc/asterisk/sip.conf": "[general]"},
    )
    debian.unpack([deb], tmp_path / "root")
    kept = {str(file.relative_to(tmp_path / "root")) for file in (tmp_path / "root").rglob("*") if file.is_file()}
    assert kept == {"usr/sbin/asterisk"}


def test_a_damaged_package_is_not_unpacked(cache: Path, tmp_path: Path) -> None:
    deb = make_deb(cache, "asterisk", {"usr/sbin/asterisk": "program"})
    (cache / deb.file).write_bytes(b"!<arch>\nnot a package")
    with pytest.raises(UnpackError, match=r"asterisk_1\.0_all\.deb could not be unpacked"):
        debian.unpack([deb], tmp_path / "root")


def test_a_whole_cache_needs_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = no_network(monkeypatch)
    deb = make_deb(cache, "asterisk", {"usr/sbin/asterisk": "program"})
    remember(cache, [deb])
    assert debian.fetch(["asterisk"]) == [deb]
    assert tried == []


@pytest.mark.parametrize("harm", ["changed", "missing", "no manifest", "broken manifest"])
def test_a_cache_that_is_not_whole_is_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    tried = no_network(monkeypatch)
    deb = make_deb(cache, "asterisk", {"usr/sbin/asterisk": "program"})
    remember(cache, [deb])
    manifest = cache / f"asterisk-{debian.machine()}.json"
    match harm:
        case "changed":
            (cache / deb.file).write_bytes((cache / deb.file).read_bytes() + b"\0")
        case "missing":
            (cache / deb.file).unlink()
        case "no manifest":
            manifest.unlink()
        case _:
            manifest.write_text("{")
    with pytest.raises(UnpackError, match="no network here"):
        debian.fetch(["asterisk"])
    assert tried == ["asterisk"]


@pytest.mark.parametrize(("broken", "tries"), [(0, 1), (2, 3), (9, 3)])
def test_a_mirror_that_is_being_renewed_is_asked_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch, broken: int, tries: int
) -> None:
    tried: list[Path] = []

    def once(packages: list[str], folder: Path, manifest: Path) -> list[Package]:
        tried.append(manifest)
        if len(tried) <= broken:
            raise UnpackError("a hash sum that does not fit")
        return [Package(f"{packages[0]}_1.0_all.deb", "1.0", "")]

    monkeypatch.setattr(debian, "_download_once", once)
    monkeypatch.setattr(debian, "PAUSES_S", (0, 0))
    if broken < tries:
        assert [found.name for found in debian.fetch(["asterisk"])] == ["asterisk"]
    else:
        with pytest.raises(UnpackError, match="hash sum"):
            debian.fetch(["asterisk"])
    assert len(tried) == tries


def test_a_program_that_never_ends_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "COMMAND_LIMIT_S", 0.1)
    with pytest.raises(UnpackError, match=r"sleep did not end within 0\.1 s"):
        debian._run(["sleep", "60"])


def test_apt_is_told_to_trust_debian_alone(tmp_path: Path) -> None:
    environment = debian._private_apt(tmp_path)
    shown = subprocess.run(["apt-config", "dump"], env=environment, capture_output=True, text=True, check=True).stdout
    assert f'Dir::State::status "{tmp_path}/status";' in shown
    assert 'APT::Sandbox::User "";' in shown
    sources = (tmp_path / "etc/sources.list").read_text()
    assert sources.startswith("deb [signed-by=/")
    assert sources.endswith(" sid main\n")
    assert "trusted=yes" not in sources
    assert "Allow-Insecure" not in (tmp_path / "apt.conf").read_text()


@pytest.mark.parametrize(
    ("line", "name", "version"),
    [
        (f"'http://a/b.deb' libc6_2.43-7_amd64.deb 12 SHA256:{'a' * 64}", "libc6", "2.43-7"),
        (f"'http://a/b.deb' sip-tester_1%3a3.8.0-1_amd64.deb 12 SHA256:{'b' * 64}", "sip-tester", "1:3.8.0-1"),
        ("'http://a/b.deb' libc6_2.43-7_amd64.deb 12 MD5Sum:abc", None, None),
        ("Reading package lists...", None, None),
        ("", None, None),
    ],
)
def test_the_plan_is_read(line: str, name: str | None, version: str | None) -> None:
    found = debian._planned(line)
    assert (found and found.name, found and found.version) == (name, version)


@pytest.mark.parametrize(
    ("name", "is_needed"),
    [
        ("asterisk-modules", True),
        ("libcodec2-1.2", True),
        ("libc6", True),
        ("zlib1g", True),
        ("postgresql-18", True),
        ("perl-base", False),
        ("libperl5.42", False),
        ("libc-bin", False),
        ("python3.14", False),
        ("systemd", False),
        ("adduser", False),
    ],
)
def test_only_what_runs_is_fetched(name: str, is_needed: bool) -> None:
    assert debian._is_needed(name) is is_needed


def test_a_launcher_moves_with_its_tree(tmp_path: Path) -> None:
    tree = tmp_path / "first"
    (tree / LIBRARIES).mkdir(parents=True)
    (tree / LOADER).parent.mkdir(parents=True)
    (tree / LOADER).write_text('#!/bin/sh\necho "$@"\n')
    (tree / LOADER).chmod(0o755)
    debian.launcher(tree, "usr/bin/tool", tree / "tool")
    moved = tree.rename(tmp_path / "second place")
    said = subprocess.run([moved / "tool", "-V", "two words"], capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[0] == (
        f"--library-path {moved}/{LIBRARIES} --argv0 {moved}/tool {moved}/usr/bin/tool -V two words"
    )


def test_a_tree_without_a_loader_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnpackError, match="make setup"):
        debian.loader(tmp_path)
