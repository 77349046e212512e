"""A start is quick because it loads only what it needs, and whoever thinks better of it sees no traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.pure

INTERRUPTED = """
import os, signal, time
from controller.loading import loading
with loading():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
"""
BETWEEN = """
import os, signal, sys, typer
from controller import __main__
def stop(self, *args, **kwargs):
    os.kill(os.getpid(), signal.SIGINT)
    import time; time.sleep(5)
typer.Typer.__call__ = stop
__main__.run()
"""
AFTERWARDS = """
import gc, signal
from controller.loading import loading
with loading():
    assert not gc.isenabled()
print(gc.isenabled(), gc.get_freeze_count() > 0, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
SET_ASIDE = """
import gc, weakref
from controller.loading import set_aside
class Row: pass
row, ring = Row(), Row()
ring.itself = ring
kept, garbage = weakref.ref(row), weakref.ref(ring)
before = gc.get_freeze_count()
del ring
set_aside()
print(garbage() is None, gc.get_freeze_count() > before, kept() is row)
del row
print(kept() is None)
"""
LOADED = "import {module}, sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}} & set({heavy!r})))"


HEARS_CTRL_C = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""A shell that runs the tests in the background has SIGINT ignored, and children inherit that."""


def python(code):
    done = subprocess.run(
        [sys.executable, "-c", HEARS_CTRL_C + code], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout.strip(), done.stderr


def test_what_is_set_aside_is_no_garbage_and_still_freed():
    assert python(SET_ASIDE) == (0, "True True True\nTrue", "")


@pytest.mark.parametrize("code", [INTERRUPTED, BETWEEN], ids=["while loading", "before the verb begins"])
def test_an_interrupted_start_ends_without_a_word(code):
    assert python(code) == (130, "", "")


def test_after_loading_everything_is_as_before_but_the_collector_has_less_to_look_at():
    assert python(AFTERWARDS) == (0, "True True True", "")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("controller.main", ["alembic", "mako", "asyncpg"]),
        ("controller.cli", ["alembic", "asyncpg", "sqlalchemy", "fastapi", "aiohttp", "rich", "structlog"]),
    ],
)
def test_what_is_not_needed_is_not_loaded(module, heavy):
    assert python(LOADED.format(module=module, heavy=heavy)) == (0, "", "")
