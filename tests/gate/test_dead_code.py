"""Every name of the program is used by the program: what only tests call is a limb without a body."""

from __future__ import annotations

import ast
import re
from collections import Counter

import pytest

from tests.gate.repository import name, python

pytestmark = pytest.mark.pure

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
USERS = ("controller", "sql", "benchmarks")

# Called by a library that knows the name, never by us.
CALLED_BY_LIBRARIES = {
    "collect": "prometheus_client asks a collector for its figures",
    "connection_lost": "asyncio.Protocol",
    "connection_made": "asyncio.Protocol",
    "data_received": "asyncio.Protocol",
    "datagram_received": "asyncio.DatagramProtocol",
    "down_revision": "alembic reads it from a migration",
    "emit": "logging.Handler",
    "error_received": "asyncio.DatagramProtocol",
    "on_event": "aioari.Client",
}


def defined(source: str) -> list[str]:
    """Names a module defines at its top and in its classes; decorated ones are used by whoever decorates them."""
    found: list[str] = []
    for node in ast.parse(source).body:
        found += _names(node)
        if isinstance(node, ast.ClassDef):
            found += [inner for child in node.body if isinstance(child, ast.FunctionDef) for inner in _names(child)]
    return [each for each in found if not (each.startswith("__") and each.endswith("__"))]


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [] if node.decorator_list else [node.name]
    if isinstance(node, ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def uses(source: str) -> Counter[str]:
    """How often each word stands in a source, its comments and docstrings left out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0].value.value = ""
    return Counter(WORD.findall(ast.unparse(tree)))


def unused(sources: dict[str, str], also_used: Counter[str] | None = None) -> list[str]:
    """`file: name` of what is defined once and never named again, nor among `also_used`."""
    words = Counter(also_used or ())
    for source in sources.values():
        words += uses(source)
    definitions = Counter(each for source in sources.values() for each in defined(source))
    return [
        f"{file}: {each}"
        for file, source in sources.items()
        for each in defined(source)
        if words[each] <= definitions[each]
    ]


def words_in(*folders: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for file in python(*folders):
        total += uses(file.read_text())
    return total


def program() -> dict[str, str]:
    return {name(file): file.read_text() for file in python(*USERS)}


def test_nothing_is_dead() -> None:
    found = [line for line in unused(program()) if not line.startswith("controller/lab/")]
    assert [line for line in found if line.split(": ")[1] not in CALLED_BY_LIBRARIES] == []


def test_nothing_in_the_lab_is_dead() -> None:
    """Tests live in the lab too, so they count there."""
    found = unused(program(), words_in("tests"))
    assert [line for line in found if line.startswith("controller/lab/")] == []


def test_no_exception_is_made_for_nothing() -> None:
    defined_here = {each for source in program().values() for each in defined(source)}
    assert set(CALLED_BY_LIBRARIES) <= defined_here


def test_a_dead_name_is_seen() -> None:
    source = '"""Calls dead()."""\nLIMIT = 3\ndef alive():\n    return LIMIT\ndef dead():\n    "dead"\nprint(alive())\n'
    assert unused({"a.py": source}) == ["a.py: dead"]
    assert unused({"a.py": source, "b.py": "from a import dead\n"}) == []
