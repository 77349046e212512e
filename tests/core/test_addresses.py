"""Where a webhook may lead."""

from __future__ import annotations

import pytest

from controller.core.addresses import may_be_posted_to

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "10.1.2.3", "192.0.2.7", "2001:db8::7", "alerts.example", "", "1"]
)
def test_receivers(host: str) -> None:
    assert may_be_posted_to(host)


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "0.0.0.0", "::", "224.0.0.1", "ff02::1"],
)
def test_nobody_receives_alerts_there(host: str) -> None:
    assert not may_be_posted_to(host)
