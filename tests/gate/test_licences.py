"""What the program is built on may be given on: every distribution it needs to run carries a permissive licence."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distribution, requires

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.pure

PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public|0BSD|Unlicense)\b", re.IGNORECASE
)
COPYLEFT = re.compile(r"(?<!L)(?<!Lesser )\b(GPL|AGPL|GNU General Public|GNU Affero)", re.IGNORECASE)


def needed_by(name: str, extras: frozenset[str], seen: set[str]) -> set[str]:
    """Names of everything a distribution needs on this machine, itself included."""
    if name in seen:
        return seen
    seen.add(name)
    for line in requires(name) or []:
        wanted = Requirement(line)
        environments = [{"extra": extra} for extra in (extras or {""})]
        if wanted.marker is None or any(wanted.marker.evaluate(environment) for environment in environments):
            needed_by(wanted.name, frozenset(wanted.extras), seen)
    return seen


def licence(found: Distribution) -> str:
    """What a distribution says about itself: its expression, its classifiers, or the head of its licence text."""
    said = [found.metadata.get("License-Expression", ""), found.metadata.get("License", "")[:200]]
    said += [line for line in found.metadata.get_all("Classifier", []) if line.startswith("License ::")]
    said += [
        found.read_text(str(file).split("dist-info/")[-1]) or "" for file in found.files or [] if "LICEN" in file.name
    ]
    return " ".join(said)[:600]


RUNTIME = sorted(needed_by("tongdai", frozenset(), set()) - {"tongdai"})


def test_the_whole_tree_is_looked_at() -> None:
    assert {"aioari", "aioswagger11", "panoramisk", "sqlalchemy", "starlette", "greenlet"} <= {
        name.lower() for name in RUNTIME
    }
    assert "pytest" not in RUNTIME


@pytest.mark.parametrize("name", RUNTIME)
def test_it_may_be_given_on(name: str) -> None:
    said = licence(distribution(name))
    assert PERMISSIVE.search(said), said
    assert not COPYLEFT.search(said), said


@pytest.mark.parametrize("text", ["GPL-3.0-only", "License :: OSI Approved :: GNU General Public License v3", "AGPL"])
def test_a_copyleft_licence_is_seen(text: str) -> None:
    assert COPYLEFT.search(text)
    assert not COPYLEFT.search("LGPL-2.1")
