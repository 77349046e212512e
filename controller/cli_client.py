"""The command line's way to a running daemon: its HTTP API, asked with the standard library."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

from controller.cli_words import language, words
from controller.errors import TongdaiError
from controller.settings import Settings

TIME_LIMIT_S: Final = 15.0
ANSWER_BYTES_MAX: Final = 64 << 20
REFUSALS: Final = frozenset({404, 409})
"""Statuses that mean the answer is no, rather than that the question was wrong."""


class DaemonAwayError(TongdaiError):
    """Nobody answers where the daemon should be."""


class RefusedError(TongdaiError):
    """The daemon answered with a problem document; `problem` is its JSON object."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        lines = [f"{row.get('path')}: {row.get('reason')}" for row in problem.get("errors") or ()]
        super().__init__("\n".join(lines) or str(problem.get("detail") or f"status {status}"))
        self.status = status
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: the body and the version of the setup, where one was told."""

    body: bytes
    etag: str

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Client:
    """One daemon at `url`, asked with `token`. Proxies are not for loopback and are left out."""

    url: str
    token: str

    def get(self, path: str, **query: str | int | None) -> Any:
        """Ask for JSON; parameters that are None are left out."""
        asked = {key: value for key, value in query.items() if value is not None and value != ""}
        return self.send("GET", f"{path}?{urlencode(asked)}" if asked else path).json()

    def send(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        """Send one request; DaemonAwayError or RefusedError when it does not succeed."""
        request = Request(f"{self.url}{path}", data=body, method=method)  # noqa: S310 - http(s) to our own daemon
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Accept-Language", language())
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=TIME_LIMIT_S) as answer:
                return Reply(answer.read(ANSWER_BYTES_MAX), answer.headers.get("ETag", ""))
        except HTTPError as error:
            raise RefusedError(error.code, _problem(error.read(ANSWER_BYTES_MAX))) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise DaemonAwayError(words("away", self.url, reason)) from None


def path_of(*parts: str) -> str:
    """Build a path of the API from parts that may hold any character."""
    return "/api/v1/" + "/".join(quote(part, safe="") for part in parts)


def find(settings: Settings, token: str | None, lab: Path | None) -> Client | None:
    """Find the daemon of these settings; None when there is no token to show it. A lab has a token of its own."""
    if lab is not None:
        token = token or lab_facts(lab)["admin_token"]
    token = token or os.environ.get("TONGDAI_TOKEN") or ""
    return Client(f"http://{settings.http.bind}", token) if token else None


def lab_facts(lab: Path) -> dict[str, str]:
    """Read what a running lab tells in `lab.json`; TongdaiError when no lab is up there."""
    path = lab / "lab.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return {"http": facts["http"], "admin_token": facts["admin_token"], **facts}
    except (OSError, ValueError, KeyError, TypeError):
        raise TongdaiError(words("no_lab", path)) from None


def _problem(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
