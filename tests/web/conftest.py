"""Fixtures of the HTTP tests: a migrated database, copied for each test, and the application on it."""

from __future__ import annotations

import asyncio
import io
import shutil

import pytest

from controller import log
from controller.store.db import migrate
from tests.web.house import open_house


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("books") / "empty.db"
    asyncio.run(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(autouse=True)
def quiet():
    """Logging as the daemon sets it up; a test that looks at lines sets up a stream of its own."""
    log.configure("warning", "console", io.StringIO())


@pytest.fixture
def books(template, tmp_path):
    return shutil.copyfile(template, tmp_path / "books.db")


@pytest.fixture
async def house(books):
    async with open_house(books) as opened:
        yield opened
