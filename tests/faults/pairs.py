"""The fixtures of whoever tests two daemons: `base, lab, floor = pairs.base, pairs.lab, pairs.floor`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.pair import AGI_2, BOOKS, NAMES, PROXY_1, PROXY_2, Pair, Twins
from tests.faults.rude_proxy import RudeProxy
from tests.faults.wire import Wire
from tests.live.harness import REPOSITORY, Api, free_base
from tests.live.setups import BASE
from tests.store.conftest import migrated
from tests.store.postgres import running


@pytest.fixture(scope="module")
def base() -> int:
    return free_base()


@pytest.fixture(scope="module")
def lab(base: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Asterisk, PostgreSQL and two daemons, each with a line to either that can be watched and cut."""
    directory = tmp_path_factory.mktemp("pair")
    with running() as server:
        here = migrated(server, BOOKS)
        wires = {name: Wire(server.folder / name, server.folder).start() for name in NAMES}
        ports = zip(NAMES, (PROXY_1, PROXY_2), strict=True)
        proxies = {name: RudeProxy(base + port, base + 1).start() for name, port in ports}
        url = f"{here.partition('?')[0]}?host={wires['a'].folder}"
        pair = Pair.start(
            directory, BASE, f"database.url={url}", f"ari.url={proxies['a'].url}",
            f"standby.agi=127.0.0.1:{base + AGI_2}", base=base,
        )  # fmt: skip
        pair.wires, pair.proxies, pair.server = wires, proxies, server
        try:
            pair.begin_other()
            yield pair
        finally:
            pair.stop()


@pytest.fixture
async def floor(lab: Pair, setup: str) -> AsyncIterator[Twins]:
    async with lab.visited():
        lab.code = REPOSITORY
        people = Twins(lab, Api(lab))
        await lab.ready(people.api)
        yield people
        await people.close()
        await people.api.close()
