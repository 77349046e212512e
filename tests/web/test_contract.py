"""Z8 in short: requests made up from our own contract, sent to the real server; it never breaks and keeps its word."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from tests.web.contract import ANSWER_WITHIN_S, CHECKS, OPERATIONS
from tests.web.served import Served

pytestmark = pytest.mark.web

EXAMPLES = 15
QUICK = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}


@pytest.fixture(scope="module")
def served(template, tmp_path_factory):
    books = tmp_path_factory.mktemp("served") / "books.db"
    books.write_bytes(template.read_bytes())
    with Served(books) as up:
        yield up


@pytest.fixture(scope="module")
def api(served):
    config = SchemathesisConfig.from_dict({"base-url": served.url})
    return schemathesis.openapi.from_dict(served.contract, config=config)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_server_keeps_its_word(api, served, method, path, mode):
    operation = api[path][method]
    heads = {"Authorization": f"Bearer {served.token}"}
    answered = []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, **QUICK)
    def ask(case):
        answer = case.call(headers=heads)
        answered.append(answer.status_code)
        assert answer.elapsed < ANSWER_WITHIN_S
        case.validate_response(answer, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        # An operation that takes nothing has nothing to be wrong about.
        assert mode is GenerationMode.NEGATIVE
        return
    assert answered
