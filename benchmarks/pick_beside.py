"""What others do at the same place: a script forked for each call, and panoramisk's own FastAGI server.

Both look one number up in an indexed SQLite table and name a random trunk of its operator, and that is all: no
permission, no caps, no caller id by operator, no books, no report of the end. So they do less than the side door they
stand beside. The script is Python with its standard library alone, started without site packages; Asterisk's `AGI()`
would fork it the same way. The server is panoramisk as shipped, four variables set one by one as its documentation
shows.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop
from panoramisk import fast_agi

FORKED_RATE_MAX = 10.0
"""Calls a second a forked script is asked at a steady rate: more than two cores start is a queue without end."""

SCRIPT = """
import random, sqlite3, sys
header = {}
for line in iter(sys.stdin.readline, "\\n"):
    name, _, value = line.rstrip("\\n").partition(": ")
    header[name] = value
books = sqlite3.connect(sys.argv[1])
number = header["agi_arg_1"]
row = books.execute("SELECT carrier FROM ported WHERE number = ?", (int(number),)).fetchone()
carrier = row[0] if row else int(number[2:4]) % int(sys.argv[2])
trunk = carrier + int(sys.argv[2]) * random.randrange(int(sys.argv[3]) // int(sys.argv[2]))
for name, value in (("TD_TRUNK", f"t{trunk}"), ("TD_NUMBER", number), ("TD_CALLERID", "0"), ("TD_OK", "1")):
    sys.stdout.write(f'SET VARIABLE {name} "{value}"\\n')
    sys.stdout.flush()
    sys.stdin.readline()
"""


def books(path: Path, rows: int, carriers: int) -> None:
    """Write the table both look into."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE ported (number INTEGER PRIMARY KEY, carrier INTEGER NOT NULL)")
        connection.executemany("INSERT INTO ported VALUES (?, ?)", _rows(rows, carriers))
    connection.close()


def _rows(rows: int, carriers: int) -> Iterator[tuple[int, int]]:
    return ((900_000_000 + n, n % carriers) for n in range(rows))


async def forked(script: Path, table: Path, sizes: tuple[int, int], number: str) -> dict[str, str]:
    """One call by a script of its own, as `AGI()` runs it; the variables that were set."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-I", "-S", str(script), str(table), *map(str, sizes))
    child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the script was started without pipes")
    child.stdin.write(f"agi_network: no\nagi_arg_1: {number}\n\n".encode())
    found: dict[str, str] = {}
    while line := await child.stdout.readline():
        name, _, value = line.decode().strip().removeprefix("SET VARIABLE ").partition(" ")
        found[name] = value.strip('"')
        child.stdin.write(b"200 result=1\n")
    await child.wait()
    return found


async def serve(table: Path, carriers: int, trunks: int) -> None:
    """Run panoramisk's server until standard input ends; says its port first."""
    connection = sqlite3.connect(table)

    async def outbound(request: Any) -> None:
        number = request.headers["agi_arg_1"]
        row = connection.execute("SELECT carrier FROM ported WHERE number = ?", (int(number),)).fetchone()
        carrier = row[0] if row else int(number[2:4]) % carriers
        trunk = carrier + carriers * random.randrange(trunks // carriers)  # noqa: S311
        for name, value in (("TD_TRUNK", f"t{trunk}"), ("TD_NUMBER", number), ("TD_CALLERID", "0"), ("TD_OK", "1")):
            await request.send_command(f'SET VARIABLE {name} "{value}"')

    application = fast_agi.Application(loop=asyncio.get_running_loop())
    application.add_route("outbound", outbound)
    server = await asyncio.start_server(application.handler, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
