"""What a person is told."""

from __future__ import annotations

import pytest

from controller.core.answer import OK, Answer

pytestmark = pytest.mark.pure


def test_only_ok_is_ok() -> None:
    assert OK.ok
    assert not any(Answer(code, "why").ok for code in ("not_found", "conflict", "invalid"))
