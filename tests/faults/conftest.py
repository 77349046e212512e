"""The lab of the live tests with a rude proxy between its daemon and its Asterisk, polite at the end of every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.figures import ON_POSTGRESQL
from tests.faults.rude_proxy import RudeProxy
from tests.faults.ward import Ward
from tests.live import conftest as live
from tests.live.harness import Api, Lab, free_base
from tests.live.setups import BASE
from tests.store import postgres
from tests.store.conftest import migrated

PROXY_PORT = 6
setup, api, pytest_runtest_makereport = live.setup, live.api, live.pytest_runtest_makereport


@pytest.fixture(scope="session")
def base() -> int:
    """The ports of this run."""
    return free_base()


@pytest.fixture(scope="session")
def proxy(base: int) -> Iterator[RudeProxy]:
    """Between the daemon and Asterisk."""
    between = RudeProxy(base + PROXY_PORT, base + 1).start()
    yield between
    between.stop()


@pytest.fixture(scope="session")
def lab(base: int, proxy: RudeProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Asterisk and a daemon that reaches it only through the proxy."""
    with _books() as books:
        running = Lab.start(tmp_path_factory.mktemp("faults"), BASE, f"ari.url={proxy.url}", *books, base=base)
        try:
            yield running
        finally:
            proxy.polite()
            running.stop()


@contextmanager
def _books() -> Iterator[tuple[str, ...]]:
    """Settings that put the books elsewhere than in the lab's own file, and what they need."""
    if not ON_POSTGRESQL:
        yield ()
        return
    with postgres.running(durable=True) as server:
        yield (f"database.url={migrated(server, 'faults')}",)


@pytest.fixture
async def floor(lab: Lab, api: Api, proxy: RudeProxy) -> AsyncIterator[Ward]:
    """The people of one test, sent home after it."""
    people = Ward(lab, api, proxy=proxy)
    yield people
    proxy.polite()
    await people.close()
