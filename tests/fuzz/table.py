"""Every fuzz program there is, in the order of the table of docs/security.md."""

from __future__ import annotations

import importlib

from tests.fuzz.program import Program

PROGRAMS = {
    "Z1": "z1_ari",
    "Z2": "z2_agi",
    "Z3": "z3_encoders",
    "Z4": "z4_names",
    "Z6": "z6_numbers",
    "Z7": "z7_setups",
    "Z8": "z8_http",
}
"""Z5 (keys) and Z9 (sequences of events) run in the simulator: `make sim`."""
GUIDED = ("Z1", "Z2")


def made(name: str) -> Program:
    """One program, ready to run."""
    program: Program = getattr(importlib.import_module(f"tests.fuzz.{PROGRAMS[name]}"), name)()
    return program
