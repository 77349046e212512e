"""One lab for the whole run, one setup a module, and an empty Asterisk after every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.floor import Floor
from tests.live.harness import NO_TLS, Api, Lab
from tests.live.patience import PATIENCE_S
from tests.live.setups import BASE


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Asterisk and the daemon, started as a person starts them, and ended with nothing left behind."""
    running = Lab.start(tmp_path_factory.mktemp("lab"), BASE)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def setup(request: pytest.FixtureRequest, lab: Lab) -> str:
    """The module's `SETUP`, put in force through the interface while everything runs."""
    text = lab.filled(getattr(request.module, "SETUP", BASE))
    put_setup(lab, text)
    return text


def put_setup(lab: Lab, text: str) -> dict[str, Any]:
    """Put a setup in force, whatever the version in force is."""
    info = lab.info
    with httpx.Client(base_url=info["http"], timeout=PATIENCE_S, trust_env=False, verify=NO_TLS) as http:
        head = {"Authorization": f"Bearer {info['admin_token']}"}
        seen = http.get("/api/v1/setup", headers=head)
        head |= {"If-Match": seen.headers["ETag"], "Content-Type": "application/toml"}
        response = http.put("/api/v1/setup", headers=head, content=text.encode())
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
async def api(lab: Lab, setup: str) -> AsyncIterator[Api]:
    """The HTTP interface."""
    asked = Api(lab)
    yield asked
    await asked.close()


@pytest.fixture
async def floor(lab: Lab, api: Api, request: pytest.FixtureRequest) -> AsyncIterator[Floor]:
    """The people of one test, sent home after it."""
    people = Floor(lab, api)
    yield people
    await people.close()


@pytest.fixture
def sipp_dir(tmp_path: Path) -> Path:
    """Where SIPp's files of one test go."""
    return tmp_path / "sipp"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show what the lab wrote when one of its tests fails."""
    outcome = yield
    report = outcome.get_result()
    running = getattr(item, "funcargs", {}).get("lab")
    if report.failed and isinstance(running, Lab):
        report.sections.append(("lab", running.output()))
