"""The container files, read as text: there is no container engine where the tests run."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller import __version__
from controller.lab import render_lab
from tests.gate.repository import ROOT

pytestmark = pytest.mark.pure

DOCKER = ROOT / "docker"
DOCKERFILES = [DOCKER / "Dockerfile", DOCKER / "asterisk/Dockerfile"]
EXACT_TAG = re.compile(r"[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)*(@sha256:[0-9a-f]{64})?")


def instructions(file: Path) -> list[tuple[str, str]]:
    """A Dockerfile's instructions, continued lines joined, comments gone."""
    text = re.sub(r"\\\n", " ", "\n".join(line for line in file.read_text().splitlines() if not line.startswith("#")))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def services() -> dict[str, Any]:
    loaded = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    found: dict[str, Any] = loaded["services"]
    return found


both = pytest.mark.parametrize("file", DOCKERFILES, ids=["controller", "asterisk"])
each_service = pytest.mark.parametrize("name", ["controller", "asterisk"])


@both
def test_images_are_built_on_exact_versions(file: Path) -> None:
    bases = [rest.split()[0] for verb, rest in instructions(file) if verb == "FROM"]
    assert bases
    assert [base for base in bases if not EXACT_TAG.fullmatch(base)] == []


@pytest.mark.parametrize("floating", ["python", "python:latest", "python:3-slim", "debian:sid", "python:slim"])
def test_a_floating_tag_is_seen(floating: str) -> None:
    assert not EXACT_TAG.fullmatch(floating)


@both
def test_nothing_runs_as_root(file: Path) -> None:
    last_stage = [step for step in _stages(file)[-1] if step[0] in {"USER", "ENTRYPOINT", "CMD"}]
    assert last_stage[0][0] == "USER"
    assert int(last_stage[0][1].split(":")[0]) > 1000
    assert [verb for verb, _ in last_stage].count("USER") == 1


def _stages(file: Path) -> list[list[tuple[str, str]]]:
    stages: list[list[tuple[str, str]]] = []
    for step in instructions(file):
        if step[0] == "FROM":
            stages.append([])
        stages[-1].append(step)
    return stages


@both
def test_what_is_copied_exists_and_is_let_through(file: Path) -> None:
    ignored = file.with_name("Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    for verb, rest in instructions(file):
        if verb == "COPY" and "--from=" not in rest:
            for source in shlex.split(rest)[:-1]:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in let_through, source


@both
def test_health_is_watched_and_secrets_stay_out(file: Path) -> None:
    verbs = [verb for verb, _ in instructions(file)]
    assert "HEALTHCHECK" in verbs
    assert not re.search(r"(?i)(password|token|secret)=", file.read_text())
    assert "ADD" not in verbs, "ADD fetches and unpacks what nobody checked"


def test_the_images_install_the_pins() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    assert text.count("--constraint constraints.txt") == 1
    python = re.search(r"python:(3\.\d+)", text)
    assert python
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert tuple(map(int, python[1].split("."))) >= tuple(map(int, needed.removeprefix(">=").split(".")))


@each_service
def test_services_are_shut_in(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service["image"].endswith(f":{__version__}")
    assert (DOCKER / ".." / service["build"]["dockerfile"]).is_file()


def test_only_sip_and_sound_are_open_to_the_network() -> None:
    opened = [port for service in services().values() for port in service.get("ports", [])]
    outside = [port for port in opened if not port.startswith("127.0.0.1:")]
    assert outside
    assert [port for port in outside if not port.endswith("/udp")] == []
    assert services()["controller"]["network_mode"] == "service:asterisk", (
        "ARI and FastAGI are plain text: loopback only"
    )


def test_the_two_share_one_password_and_neither_holds_it() -> None:
    given = [services()["asterisk"]["environment"]["ARI_PASSWORD"]]
    given.append(services()["controller"]["environment"]["TONGDAI_ARI__PASSWORD"])
    assert given[0] == given[1]
    assert given[0].startswith("${ARI_PASSWORD:?")


def test_the_image_has_the_lab_s_modules_and_settings() -> None:
    configuration = DOCKER / "asterisk/etc"
    loaded = re.findall(r"^load=(\w+)\.so$", (configuration / "modules.conf").read_text(), re.MULTILINE)
    assert loaded == list(render_lab.MODULES)
    for name, text in render_lab._QUIET.items():
        if name != "logger.conf" and text:
            assert (configuration / name).read_text() == text, name
    http = (configuration / "http.conf").read_text()
    assert "bindaddr=127.0.0.1" in http
