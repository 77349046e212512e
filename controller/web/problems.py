"""Every error of the API is a problem document (RFC 9457), and none is ever a traceback.

`type` is a URN that names the kind of problem and never changes; `instance` names this one occurrence, and the same
name stands in the log line where there is one. `errors` (422 only) lists each mistake with its path in the request.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from controller.core.saying import Language, Saying, say, told
from controller.core.sentences import SENTENCES
from controller.errors import LedgerError, SetupError, StaleSetupError, TelephoneError

MEDIA_TYPE: Final = "application/problem+json"
ERRORS_MAX: Final = 1000
RETRY_AFTER_S: Final = 1
ACCEPTED_CHARS_MAX: Final = 1_000
_WEIGHT: Final = re.compile(r"[01](?:\.[0-9]{0,3})?")

_LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")

KINDS: Final[dict[int, str]] = {
    401: "not-signed-in",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "too-slow",
    409: "conflict",
    413: "too-large",
    415: "unsupported-media-type",
    421: "wrong-host",
    422: "invalid",
    428: "version-wanted",
    429: "too-many",
    500: "internal",
    503: "unavailable",
}
"""The last part of `type` for each status."""

_log = structlog.get_logger("web")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a request: where (`body.status`, `query.limit`, `queue[0].ring_time`) and why."""

    path: str
    reason: Saying | str


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 - it is the document a client gets, not a failure of ours
    """A refusal on its way to the client; raise it anywhere below a route."""

    status: int
    detail: Saying | str
    errors: tuple[Mistake, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def document(problem: Problem, instance: str, language: Language = "en") -> dict[str, Any]:
    """Build the JSON object of a problem."""
    body: dict[str, Any] = {
        "type": f"urn:tongdai:problem:{KINDS.get(problem.status, 'other')}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": told(problem.detail, language),
        "instance": f"urn:tongdai:request:{instance}",
    }
    if problem.errors:
        errors = problem.errors[:ERRORS_MAX]
        body["errors"] = [{"path": row.path, "reason": told(row.reason, language)} for row in errors]
    return {**body, **problem.more}


def response(problem: Problem, instance: str, language: Language = "en") -> Response:
    """Build the answer a client gets for a problem."""
    headers = {"Content-Language": language, "Vary": "Accept-Language", **problem.headers}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="tongdai"')
    if problem.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    text = json.dumps(document(problem, instance, language))
    return Response(text, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every way a route can fail a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(SetupError, _on_problem)
    app.add_exception_handler(StaleSetupError, _on_problem)
    app.add_exception_handler(LedgerError, _on_problem)
    app.add_exception_handler(TelephoneError, _on_problem)


def of_error(error: Exception) -> Problem:
    """Say an exception of ours (or anybody's) as a problem; only our own sentences are shown."""
    match error:
        case Problem():
            return error
        case StaleSetupError():
            return Problem(409, error.said, more={"seen": error.seen, "version": error.current})
        case SetupError():
            return Problem(422, say("setup_refused"), errors=tuple(map(mistake_of, error.sayings)))
        case LedgerError():
            return Problem(503, say("no_database"))
        case TelephoneError():
            return Problem(503, say("no_asterisk"))
        case TimeoutError():
            return Problem(503, say("took_too_long"))
        case _:
            return Problem(500, say("our_fault"))


def mistake_of(said: Saying) -> Mistake:
    """Split a setup mistake into the place it stands in and what is wrong there."""
    parts = dict(said.parts)
    match said.name:
        case "at":
            return Mistake(str(parts["where"]), _what(parts["what"]))
        case "at_line":
            return Mistake(f"{parts['file']}:{parts['line']}", _what(parts["what"]))
        case _:
            return Mistake("body", said)


def _what(part: object) -> Saying | str:
    return part if isinstance(part, Saying) else str(part)


def language_of(headers: Headers) -> Language:
    """The language a client would rather read: Vietnamese when it names that before English (`Accept-Language`)."""
    best: dict[str, float] = {}
    for part in headers.get("accept-language", "")[:ACCEPTED_CHARS_MAX].split(","):
        tag, _, weight = part.strip().lower().partition(";q=")
        found = _WEIGHT.fullmatch(weight or "1")
        best.setdefault(tag.partition("-")[0], float(found[0]) if found else 0.0)
    return "vi" if best.get("vi", 0.0) > best.get("en", 0.0) else "en"


def mistakes(rows: Iterable[Mapping[str, Any]]) -> tuple[Mistake, ...]:
    """Say what pydantic found wrong, without repeating the values: they may be numbers of people."""
    return tuple(Mistake(".".join(str(part) for part in row["loc"]), _found_by_framework(row)) for row in rows)


def _found_by_framework(row: Mapping[str, Any]) -> Saying | str:
    """A mistake in our sentence where that says in English what the framework says, else in its words."""
    kind, parts = str(row["type"]), {key: value for key, value in row.get("ctx", {}).items() if key != "error"}
    said = Saying("missing_field" if kind == "missing" else kind, tuple(parts.items()))
    return said if said.name in SENTENCES and str(said) == row["msg"] else str(row["msg"])


def new_name() -> str:
    """Make a name that nobody has: 64 bits of chance, in letters alone, for the log shortens what may be a number."""
    return secrets.token_hex(8).translate(_LETTERS)


def instance_of(request: Request) -> str:
    """Return the name of this request, given to it by the gate."""
    return str(request.scope.get("state", {}).get("request_id", "0"))


async def _on_problem(request: Request, error: Exception) -> Response:
    if isinstance(error, (LedgerError, TelephoneError)):
        _log.warning("request_failed", request=instance_of(request), error=str(error))
    return _answer(of_error(error), request)


async def _on_invalid(request: Request, error: Exception) -> Response:
    rows = error.errors() if isinstance(error, RequestValidationError) else []
    problem = Problem(422, say("not_understood"), errors=mistakes(rows))
    return _answer(problem, request)


async def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == HTTPStatus.BAD_REQUEST:
        # The framework's word for a body it could not even decode; to a client that is one mistake like any other.
        unread = Mistake("body", say("not_json"))
        return _answer(Problem(422, say("not_understood"), (unread,)), request)
    return _answer(Problem(status, HTTPStatus(status).phrase.lower()), request)


def _answer(problem: Problem, request: Request) -> Response:
    return response(problem, instance_of(request), language_of(request.headers))
