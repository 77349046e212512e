"""A machine whose name servers are dead and whose own name nobody knows: call set-up must not ask anybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controller.lab.sipcall import Rule
from tests.faults.figures import record, runs
from tests.live.floor import Floor
from tests.live.harness import Api, Lab, soon
from tests.live.setups import BASE, HOTLINE

pytestmark = pytest.mark.faults

LIMIT_S = 4.0
"""A look-up that nobody answers is given up after five seconds."""

CUT_OFF = 'hostname nobody-knows-me; mount --bind "$0" /etc/resolv.conf; exec "$@"'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with a host name and name servers of its own, both of no use (needs user namespaces)."""
    folder = tmp_path_factory.mktemp("resolver")
    servers = folder / "resolv.conf"
    servers.write_text("nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    running = Lab.start(folder / "lab", BASE, within=("unshare", "-rmu", "sh", "-c", CUT_OFF, str(servers)))
    yield running
    running.stop()


@pytest.fixture
async def people(lab: Lab) -> object:
    """The people of one test."""
    api = Api(lab)
    floor = Floor(lab, api)
    yield floor
    await floor.close()
    await api.close()


async def test_calls_are_set_up_without_asking_a_name_server(people: Floor) -> None:
    await people.desk("a1", rule=Rule())
    took, heard = [], []
    for n in range(runs(2, 20)):
        number = f"0281{n:06d}"
        call = people.dial(HOTLINE, number)
        await people.live(number, state="talking", seconds=30.0)
        await soon(call.up, "answered", 30.0)
        took.append(call.at["up"] - call.at["invite"])
        ringing = people.phones["a1"].calls[-1]
        heard.append(ringing.at["invite"] - call.at["invite"])
        await call.hangup()
        await people.ended(number)
        await people.state("a1", "ready")
    record("W7", "dead resolver: dial to answered", "no look-up", took, limit=1.0)
    record("W7", "dead resolver: dial to ring", "no look-up", heard, limit=1.0)
    assert max(*took, *heard) < LIMIT_S
