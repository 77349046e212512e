from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from controller.lab.versions import FULL_SINCE, Support, judge

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("banner", "version", "support"),
    [
        ("Asterisk 22.10.1+dfsg+~cs6.17.60671434-1", "22.10.1", Support.FULL),
        ("Asterisk 22.10.1", "22.10.1", Support.FULL),
        ("Asterisk 22.11.0", "22.11.0", Support.FULL),
        ("Asterisk 20.20.1", "20.20.1", Support.FULL),
        ("Asterisk 23.4.1", "23.4.1", Support.FULL),
        ("Asterisk 22.10.0", "22.10.0", Support.REDUCED),
        ("Asterisk 22.5.0", "22.5.0", Support.REDUCED),
        ("Asterisk 20.15.2", "20.15.2", Support.REDUCED),
        ("Asterisk certified-22.8-cert1", "certified-22.8", Support.REDUCED),
        ("Asterisk certified/22.8-cert2", "certified-22.8", Support.REDUCED),
        ("Asterisk 22.4.1", "22.4.1", Support.REFUSED),
        ("Asterisk 20.14.0", "20.14.0", Support.REFUSED),
        ("Asterisk 20.6.0~dfsg+~cs6.13.40431414-2build5", "20.6.0", Support.REFUSED),
        ("Asterisk 23.4.0", "23.4.0", Support.REFUSED),
        ("Asterisk 21.12.0", "21.12.0", Support.REFUSED),
        ("Asterisk 16.28.0~dfsg-0+deb11u4", "16.28.0", Support.REFUSED),
        ("Asterisk 24.0.0", "24.0.0", Support.REFUSED),
        ("Asterisk certified/20.7-cert5", "certified-20.7", Support.REFUSED),
        ("Asterisk GIT-22-d25d3f5", "Asterisk GIT-22-d25d3f5", Support.REFUSED),
        ("bash: asterisk: command not found", "bash: asterisk: command not found", Support.REFUSED),
    ],
)
def test_versions_fall_where_asterisk_changed(banner: str, version: str, support: Support) -> None:
    verdict = judge(banner)
    assert (verdict.version, verdict.support) == (version, support)


@given(some.sampled_from([20, 21, 22, 23, 24]), some.integers(0, 40), some.integers(0, 3))
def test_whoever_is_not_served_fully_hears_why(major: int, minor: int, patch: int) -> None:
    verdict = judge(f"Asterisk {major}.{minor}.{patch}")
    assert bool(verdict.reason) is (verdict.support is not Support.FULL)
    assert "\n" not in verdict.reason
    assert (verdict.support is Support.FULL) is ((major, minor, patch) >= FULL_SINCE.get(major, (99,)))


@given(some.text())
def test_no_banner_can_make_it_fail(banner: str) -> None:
    assert judge(banner).support in Support
