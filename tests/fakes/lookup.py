"""A look-up service that needs no network: what it knows is a dictionary, and it fails when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from controller.lookup.service import LookupFailedError


class FakeSource:
    """`lookup.service.Source` from a dictionary; `mood` is right, broken or silent."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = dict(known)
        self.mood = "right"
        self.asked: list[str] = []
        self.closed = False

    async def ask(self, number: str) -> str:
        self.asked.append(number)
        if self.mood == "silent":
            await asyncio.Event().wait()
        if self.mood == "broken":
            raise LookupFailedError("told to fail")
        return self.known.get(number, "")

    async def close(self) -> None:
        self.closed = True
