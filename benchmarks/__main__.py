"""`make bench`: the machine, then every benchmark, one after another, so that none disturbs another.

python -m benchmarks [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
from pathlib import Path

from benchmarks import books, engine, pick, ported, race, setups, step_cost

PORT_BASE = 31060


def machine() -> str:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs, wider noise")
    quick = parser.parse_args().quick
    sys.stdout.write(f"{machine()}; load before {os.getloadavg()[0]:.2f}\n\n")
    sys.stdout.flush()
    step_cost.main([])
    engine.main([])
    setups.main([])
    sys.stdout.write("\n")
    sys.stdout.flush()
    pick.main(["--seconds", "4" if quick else "10"])
    sys.stdout.write("\n")
    sys.stdout.flush()
    ported.main(["--rows", "100000"] if quick else ["--rows", "10000", "--rows", "1000000"])
    sys.stdout.write("\n")
    sys.stdout.flush()
    books.main(["--rows", "100000", "--commits", "1000", "--ported", "100000"] if quick else [])
    sys.stdout.write("\n")
    sys.stdout.flush()
    asyncio.run(race.race([1, 20, 200], 6.0 if quick else 20.0, PORT_BASE))


if __name__ == "__main__":
    main()
