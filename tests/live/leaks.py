"""What a lab may not have let out when it ends: secrets anywhere, whole phone numbers in the log and the figures.

Asked of every lab of the run, whatever its tests were about (X11 of docs/security.md). The journal and the books hold
whole numbers on purpose and are readable by their owner alone; nothing at all may hold a password or a token.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

SECRET_CHARS_MIN = 8
"""Shorter ones are words that stand anywhere."""
NUMBER = re.compile(r"(?<![0-9A-Za-z.:_-])(?:\+[1-9]|84|0)[0-9]{8,14}(?![0-9.])")
TOKEN = re.compile(r"td_[A-Za-z0-9_-]{20,}")
PAGES = ("/metrics", "/openapi.json", "/nowhere", "/api/v1/calls/none.1", "/api/v1/calls?limit=0912345678")


def secrets_of(document: Any) -> Iterator[str]:
    """Every password and secret of a setup, however deep it stands."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in {"password", "secret"} and isinstance(value, str):
                yield value
            else:
                yield from secrets_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from secrets_of(value)


def pages(info: dict[str, Any], http: httpx.Client) -> dict[str, str]:
    """What everybody may ask for, and what they get who ask wrongly; nothing when nobody answers any more."""
    found = {}
    for path in PAGES:
        head = {"Authorization": f"Bearer {info['admin_token']}"}
        try:
            found[path] = http.get(info["http"] + path, headers=head).text
        except httpx.HTTPError:
            return {}
    return found


def known_secrets(directory: Path, info: dict[str, Any], http: httpx.Client) -> set[str]:
    """The lab's own secrets, those it began with, and those of the setup in force now."""
    found = {info["admin_token"], info["ari_password"]}
    found |= set(secrets_of(tomllib.loads((directory / "setup.toml").read_text(encoding="utf-8"))))
    head = {"Authorization": f"Bearer {info['admin_token']}", "Accept": "application/json"}
    with contextlib.suppress(httpx.HTTPError, ValueError):
        found |= set(secrets_of(http.get(info["http"] + "/api/v1/setup", headers=head).json()))
    return {secret for secret in found if len(secret) >= SECRET_CHARS_MIN}


def leaks(directory: Path, told: dict[str, str], secrets: set[str]) -> list[str]:
    """Every leak, as a line that does not repeat it."""
    # What a lab says at the terminal tells people the passwords of its phones, so that they can register (docs/lab.md).
    written = [*directory.glob("*.log"), *directory.glob("asterisk/log/*"), *directory.glob("journal/*.jsonl")]
    files = [path for path in written if path.is_file()]
    texts = told | {str(path.relative_to(directory)): path.read_text(errors="replace") for path in files}
    found = []
    for name, text in texts.items():
        found += [f"{name}: a secret of {len(secret)} characters" for secret in secrets if secret in text]
        found += [f"{name}: a token" for _ in TOKEN.findall(text)]
        if name == "daemon.log" or name.startswith("/"):
            numbers = NUMBER.findall(text)
            found += [f"{name}: {len(numbers)} whole numbers, one ends in {numbers[0][-3:]}"] if numbers else []
    found += [
        f"{path.relative_to(directory)}: can be read by others"
        for path in [
            *directory.glob("*.db*"),
            *directory.glob("*.log"),
            *directory.glob("journal/*"),
            directory / "lab.json",
        ]
        if path.exists() and path.stat().st_mode & 0o077
    ]
    return found
