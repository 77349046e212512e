"""Every error of the API is a problem document (RFC 9457), and none is ever a traceback.

`type` is a URN that names the kind of problem and never changes; `instance` names this one occurrence, and the same
name stands in the log line where there is one. `errors` (422 only) lists each mistake with its path in the request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from controller.errors import LedgerError, SetupError, StaleSetupError, TelephoneError

MEDIA_TYPE: Final = "application/problem+json"
ERRORS_MAX: Final = 1000
RETRY_AFTER_S: Final = 1

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
    reason: str


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 - it is the document a client gets, not a failure of ours
    """A refusal on its way to the client; raise it anywhere below a route."""

    status: int
    detail: str
    errors: tuple[Mistake, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def document(problem: Problem, instance: str) -> dict[str, Any]:
    """Build the JSON object of a problem."""
    body: dict[str, Any] = {
        "type": f"urn:tongdai:problem:{KINDS.get(problem.status, 'other')}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": f"urn:tongdai:request:{instance}",
    }
    if problem.errors:
        body["errors"] = [{"path": row.path, "reason": row.reason} for row in problem.errors[:ERRORS_MAX]]
    return {**body, **problem.more}


def response(problem: Problem, instance: str) -> Response:
    """Build the answer a client gets for a problem."""
    headers = dict(problem.headers)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="tongdai"')
    if problem.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    text = json.dumps(document(problem, instance))
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
            return Problem(409, str(error), more={"seen": error.seen, "version": error.current})
        case SetupError():
            return Problem(422, "the setup was refused", errors=tuple(mistake_of(line) for line in error.problems))
        case LedgerError():
            return Problem(503, "the database does not answer, try again")
        case TelephoneError():
            return Problem(503, "Asterisk does not answer, try again")
        case TimeoutError():
            return Problem(503, "this took too long and was given up, try again")
        case _:
            return Problem(500, "something went wrong on our side; the log has it under this instance")


def mistake_of(line: str) -> Mistake:
    """Split a setup mistake (`place: reason`) into path and reason."""
    place, colon, reason = line.partition(": ")
    return Mistake(place, reason) if colon else Mistake("body", line)


def mistakes(rows: Iterable[Mapping[str, Any]]) -> tuple[Mistake, ...]:
    """Say what pydantic found wrong, without repeating the values: they may be numbers of people."""
    return tuple(Mistake(".".join(str(part) for part in row["loc"]), str(row["msg"])) for row in rows)


def instance_of(request: Request) -> str:
    """Return the name of this request, given to it by the gate."""
    return str(request.scope.get("state", {}).get("request_id", "0"))


async def _on_problem(request: Request, error: Exception) -> Response:
    if isinstance(error, (LedgerError, TelephoneError)):
        _log.warning("request_failed", request=instance_of(request), error=str(error))
    return response(of_error(error), instance_of(request))


async def _on_invalid(request: Request, error: Exception) -> Response:
    rows = error.errors() if isinstance(error, RequestValidationError) else []
    problem = Problem(422, "the request was not understood, nothing was done", errors=mistakes(rows))
    return response(problem, instance_of(request))


async def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == HTTPStatus.BAD_REQUEST:
        # The framework's word for a body it could not even decode; to a client that is one mistake like any other.
        unread = Mistake("body", "cannot be read as JSON in UTF-8")
        return response(
            Problem(422, "the request was not understood, nothing was done", (unread,)), instance_of(request)
        )
    return response(Problem(status, HTTPStatus(status).phrase.lower()), instance_of(request))
