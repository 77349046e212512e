"""The setup in force: read it, try another one, put another one in force.

It is kept as the TOML its author wrote. Whoever changes it says which version they began from (`If-Match`), so that
two people who save at once cannot undo each other's work unseen: one of them is told 409. Passwords of phones and
secrets of webhooks are shown to an admin's token alone.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Header, Request, Response

from controller import setup_file
from controller.core.difference import difference
from controller.core.saying import Saying, say
from controller.core.setup import Setup
from controller.core.shape import spell
from controller.errors import SetupError
from controller.web.asked import Known, Who
from controller.web.auth import TOML_MEDIA, Role
from controller.web.deps import Deps
from controller.web.problems import Mistake, Problem
from controller.web.schemas import SetupApplied, SetupChecked

router = APIRouter(prefix="/api/v1/setup", tags=["setup"])

T = TypeVar("T")
TOML: Final = "application/toml"
JSON: Final = "application/json"
SECRET_KEYS: Final = frozenset({"password", "secret"})
_ETAG: Final = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')
_DOCUMENT: Final[dict[str, Any]] = {
    "content": {
        JSON: {"schema": {"type": "object", "description": "tables of the setup file by name"}},
        TOML: {"schema": {"type": "string"}},
    }
}
_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, **_DOCUMENT}}

IfMatch = Annotated[
    str | None, Header(alias="If-Match", max_length=40, description="version the change began from, or * for any")
]


@router.get("", response_class=Response, responses={200: _DOCUMENT})
async def read_setup(request: Request, deps: Known, who: Who) -> Response:
    """Give the whole setup, as TOML or as JSON (`Accept`); its version is the ETag, and `version` in JSON."""
    wanted = _accepted(request.headers.get("accept", "*/*"))
    stored = await deps.setups.current()
    text = stored.text
    if wanted == JSON or who.role is not Role.ADMIN:
        document = await _aside(request, lambda: setup_file.to_document(stored.text))
        shown = document if who.role is Role.ADMIN else _without_secrets(document)
        text = json.dumps({"version": stored.version, **shown}) if wanted == JSON else setup_file.to_toml(shown)
    return Response(text, headers={"ETag": f'"{stored.version}"', "Vary": "Accept"}, media_type=wanted)


@router.put("", openapi_extra=_BODY)
async def put_setup(
    request: Request, response: Response, deps: Known, who: Who, if_match: IfMatch = None
) -> SetupApplied:
    """Put another setup in force: 409 when it is not the version in `If-Match` any more, 422 with every mistake.

    428 without `If-Match`, unless a JSON body says `version` as GET gave it. `*` overwrites whatever is there.
    """
    document, text, told = await _document(request)
    seen = _seen(if_match, told)
    after = await _checked(request, deps, document)
    _, before = await _in_force(request, deps)
    version = await deps.apply_setup(text if text is not None else setup_file.to_toml(document), seen, who.by)
    response.headers["ETag"] = f'"{version}"'
    return SetupApplied(version=version, changes=list(difference(before, after)))


@router.post("/check", openapi_extra=_BODY)
async def check_setup(request: Request, deps: Known) -> SetupChecked:
    """Check a setup as PUT would and change nothing: what would be different, or 422 with every mistake."""
    document, _, _ = await _document(request)
    after = await _checked(request, deps, document)
    version, before = await _in_force(request, deps)
    return SetupChecked(version=version, changes=list(difference(before, after)))


async def _aside(request: Request, work: Callable[[], T]) -> T:
    """Do heavy reading beside the calls, one document at a time: a large one takes a core for a while."""
    async with request.app.state.reading:
        return await asyncio.to_thread(work)


async def _document(request: Request) -> tuple[dict[str, Any], str | None, int | None]:
    """Read the document of a request; see `_read`."""
    body = await request.body()
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return await _aside(request, lambda: _read(body, media))


async def _in_force(request: Request, deps: Deps) -> tuple[int, Setup]:
    """Read the setup in force and its version."""
    stored = await deps.setups.current()
    return stored.version, await _aside(request, lambda: deps.parse_setup(stored.text, "setup"))


async def _checked(request: Request, deps: Deps, document: Mapping[str, object]) -> Setup:
    """Validate a document; Problem 422 with every mistake and its place in it."""
    now_ms = deps.clock.now_ms()
    checked = await _aside(request, lambda: setup_file.check_document(document, now_ms))
    if checked.setup is None:
        errors = tuple(Mistake(spell(row.place) or "body", row.text) for row in checked.problems)
        raise Problem(422, say("setup_mistakes", n=len(errors)), errors=errors)
    return checked.setup


def _read(body: bytes, media: str) -> tuple[dict[str, Any], str | None, int | None]:
    """Read a body: the document, its text when it came as TOML, and the version a JSON body names."""
    try:
        text = body.decode()
        if media in TOML_MEDIA:
            return setup_file.to_document(text, "setup"), text, None
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError, SetupError) as error:
        raise Problem(422, say("setup_unreadable"), errors=(Mistake("body", _reason(error)),)) from None
    if not isinstance(document, dict):
        raise Problem(422, say("setup_unreadable"), errors=(Mistake("body", say("must_be_object")),))
    told = document.pop("version", None)
    if told is not None and (isinstance(told, bool) or not isinstance(told, int)):
        raise Problem(422, say("setup_unreadable"), errors=(Mistake("version", say("must_be_integer")),))
    inner = document.get("setup")
    return (inner if isinstance(inner, dict) and len(document) == 1 else document), None, told


def _reason(error: Exception) -> Saying | str:
    if isinstance(error, RecursionError):
        return say("nested_too_deeply")
    said = error.sayings[0] if isinstance(error, SetupError) else error.args[0]
    return said if isinstance(said, Saying) else str(error).splitlines()[0][:200]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Take the keys of an object; one that stands there twice is a mistake, not a matter of luck."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(say("key_twice", key=repr(twice[:40])))
    return found


def _no_number(word: str) -> Any:
    raise ValueError(say("is_no_number", word=word))


def _seen(if_match: str | None, told: int | None) -> int | None:
    """Find out which version the author began from; None to overwrite any."""
    if if_match is None:
        if told is None:
            raise Problem(428, say("version_wanted"))
        return told
    if if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        mistake = Mistake("header.If-Match", say("version_form"))
        raise Problem(422, say("not_understood"), errors=(mistake,))
    return int(found[1])


def _accepted(accept: str) -> str:
    """Choose TOML or JSON by what the client takes; JSON when it does not care. Problem 406 when it takes neither."""
    best: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        best[media] = float(weight) if re.fullmatch(r"[01](\.[0-9]{0,3})?", weight) else 0.0
    anything = max(best.get("*/*", 0.0), best.get("application/*", 0.0))
    json_weight, toml_weight = best.get(JSON, anything), best.get(TOML, 0.0)
    if max(json_weight, toml_weight) <= 0:
        raise Problem(406, say("told_as", one=JSON, other=TOML))
    return TOML if toml_weight > json_weight else JSON


def _without_secrets(value: Any) -> Any:
    """Leave out what only an admin may see."""
    if isinstance(value, dict):
        return {key: _without_secrets(item) for key, item in value.items() if key not in SECRET_KEYS}
    return [_without_secrets(row) for row in value] if isinstance(value, list) else value
