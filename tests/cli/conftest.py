"""The command line as a person starts it, in this process, and a daemon's API on a port for it to ask."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass

import pytest

from controller import cli
from controller.store.db import migrate
from tests.web.served import Served


@dataclass
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("books") / "empty.db"
    asyncio.run(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def environ(monkeypatch, tmp_path):
    """An environment without settings of the machine; the database is a new file."""
    import os

    for name in list(os.environ):
        if name.startswith(("TONGDAI_", "LC_")) or name in {"LANG", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("TONGDAI_DATABASE__URL", f"sqlite+aiosqlite:///{tmp_path}/books.db")
    monkeypatch.setenv("TONGDAI_HTTP__BIND", "127.0.0.1:9")
    return monkeypatch


@pytest.fixture
def run(environ, capsys):
    def command(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.app([str(word) for word in words])
        told = capsys.readouterr()
        return Ran(int(ended.value.code or 0), told.out, told.err)

    return command


@pytest.fixture(scope="module")
def served(template, tmp_path_factory):
    books = shutil.copyfile(template, tmp_path_factory.mktemp("served") / "books.db")
    with Served(books) as up:
        yield up
