"""Z8: requests made up from our own contract, right and wrong, sent to the real server: it keeps its word each time."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
import warnings
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import negative_data_rejection
from schemathesis.config import SchemathesisConfig

from controller.store.db import migrate
from tests.fuzz.documents import document
from tests.fuzz.program import Times
from tests.web.contract import ANSWER_WITHIN_S, CHECKS, OPERATIONS
from tests.web.served import Served

EXAMPLES = 10
UNJUDGED = [check for check in CHECKS if check is not negative_data_rejection]
"""For requests that are meant to be wrong and are not."""


class Z8:
    ID = "Z8"
    ASKED = "0 answers of 5xx, 0 that do not fit the contract, 0 after more than 2 s"

    def __init__(self) -> None:
        # schemathesis announces its own future here; what this run finds does not depend on it.
        warnings.simplefilter("ignore")
        self.home = Path(tempfile.mkdtemp(prefix="fuzz-"))
        books = self.home / "books.db"
        asyncio.run(migrate(f"sqlite+aiosqlite:///{books}"))
        self.served = Served(books)
        self.served.__enter__()
        config = SchemathesisConfig.from_dict({"base-url": self.served.url})
        self.api = schemathesis.openapi.from_dict(self.served.contract, config=config)
        self.times = Times()
        self.statuses: dict[int, int] = {}
        self.mismatches = 0

    def batch(self, dice: random.Random) -> int:
        method, path = dice.choice(OPERATIONS)
        mode = dice.choice(list(GenerationMode))
        token = self.served.tokens[dice.choice(["admin", "admin", *sorted(self.served.tokens)])]
        asked = self.times.count

        @seed(dice.getrandbits(60))
        @given(case=self.api[path][method].as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def ask(case: schemathesis.Case) -> None:
            if mode is GenerationMode.POSITIVE and dice.random() < 0.6:
                real(case, dice)
            self._ask(case, token)

        try:
            ask()
        except Unsatisfiable:
            # An operation that takes nothing has nothing to be wrong about.
            assert mode is GenerationMode.NEGATIVE
        return self.times.count - asked

    def _ask(self, case: schemathesis.Case, token: str) -> None:
        began = time.monotonic()
        answer = case.call(headers={"Authorization": f"Bearer {token}"})
        took_s = time.monotonic() - began
        self.times.add(took_s)
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        assert took_s < ANSWER_WITHIN_S, (case.method, case.path, took_s)
        # Who may not ask is told so before anything else is looked at.
        if answer.status_code not in {401, 403}:
            self.mismatches += 1
            case.validate_response(answer, checks=CHECKS if written(case) else UNJUDGED)
            self.mismatches -= 1

    def seen(self) -> dict[str, object]:
        fives = sum(count for status, count in self.statuses.items() if status >= 500)
        statuses = {str(status): self.statuses[status] for status in sorted(self.statuses)}
        slowest = {"p99_ms": self.times.ms(99), "slowest_ms": self.times.ms(100)}
        return {
            "5xx": fives,
            "mismatches": self.mismatches,
            **slowest,
            "statuses": statuses,
            "pass": fives + self.mismatches == 0,
        }

    def close(self) -> None:
        self.served.__exit__()
        shutil.rmtree(self.home)


def written(case: schemathesis.Case) -> bool:
    """Whether what is wrong with a query reaches the server: an object without members is written as nothing."""
    return not any(value in ({}, []) for value in (case.query or {}).values())


def real(case: schemathesis.Case, dice: random.Random) -> None:
    """Ask about what is there, and put in setups that might be accepted: chance alone would hardly ever do either."""
    if "call" in case.path_parameters:
        case.path_parameters["call"] = dice.choice(("1700000000.1", "1700000000.2"))
    if "agent" in case.path_parameters:
        case.path_parameters["agent"] = dice.choice(("an", "binh"))
    if case.path.startswith("/api/v1/setup") and case.method != "GET":
        case.body, case.media_type = document(dice), "application/json"
        case.headers["If-Match"] = "*"
