"""What a large setup costs to check, and the step that puts it in force.

    python -m benchmarks.setups [--queues 2000] [--agents 8000]

Twice: every queue has a group of its own, and every queue is served by the same one group of all agents, which is the
most that a text of this length can ask for. CPU seconds, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

from controller import setup_file
from controller.core.events import SetupChanged
from controller.core.setup import Setup
from controller.core.step import step
from controller.core.world import World

TRUNKS = 200
NOW_MS = 1_700_000_000_000


def text(queues: int, agents: int, groups: int) -> str:
    """A setup with as many hotlines as queues; queues and agents are dealt out to the groups in turn."""
    rows = [f'[[trunk]]\nname = "t{n}"\ncarrier = "viettel"\nendpoint = "t{n}"\n' for n in range(TRUNKS)]
    rows += [f'[[group]]\nname = "g{n}"\n' for n in range(groups)]
    rows += [
        f'[[queue]]\nname = "q{n}"\ngroups = [{{ name = "g{n % groups}" }}]\noverflow = "hangup"\n'
        for n in range(queues)
    ]
    rows += [
        f'[[hotline]]\nnumber = "+8424{n:07d}"\ntrunk = "t{n % TRUNKS}"\nqueue = "q{n}"\noutbound = true\n'
        f'dial_code = "*{1_000 + n}"\n'
        for n in range(queues)
    ]
    rows += [
        f'[[agent]]\nname = "a{n}"\nextension = "{10_000 + n}"\ngroups = ["g{n % groups}"]\n'
        f'phone = {{ endpoint = "a{n}" }}\n'
        for n in range(agents)
    ]
    return "\n".join(rows)


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of this process for one run."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(queues: int, agents: int, groups: int) -> str:
    """Check, install, and say what it took."""
    whole = text(queues, agents, groups)
    found: list[Setup] = []
    check_s = cpu_s(lambda: found.append(setup_file.parse(whole)))
    world = World()
    force_s = cpu_s(lambda: step(world, SetupChanged(found[0]), NOW_MS))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = f"{queues:,} queues, {agents:,} agents, {groups:,} groups, {len(whole):,} characters"
    return f"  {size}: checked in {check_s:.2f} s, in force after {force_s:.2f} s of CPU, peak {peak_mb:,.0f} MB"


def main(argv: list[str] | None = None, show: Callable[[str], None] = print) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queues", type=int, default=2_000)
    parser.add_argument("--agents", type=int, default=8_000)
    options = parser.parse_args(argv)
    show("a large setup:")
    for groups in (options.queues, 1):
        show(measure(options.queues, options.agents, groups))


if __name__ == "__main__":
    main()
