"""A look-up service over HTTP: one GET a number, the carrier in a field of the JSON that comes back.

    GET http://127.0.0.1:9000/carrier/84967000111  ->  200 {"carrier": "viettel"}

404 says that the number is not known, and so does a field that is missing, null or empty.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from controller.lookup.service import LookupFailedError

ANSWER_BYTES_MAX: Final = 64 * 1024
PLACE: Final = "{number}"
"""Where the number goes in the address: E.164 without the plus."""
_OK: Final = 200
_NOT_KNOWN: Final = 404


class HttpSource:
    """`lookup.service.Source` over HTTP. `field` is a path into the JSON, its parts with dots between."""

    def __init__(self, url: str, field: str = "carrier", token: str = "") -> None:
        self._url = url
        self._field = tuple(field.split("."))
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, number: str) -> str:
        """The carrier of a number; LookupFailedError when the service does not answer as it should."""
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, cookie_jar=aiohttp.DummyCookieJar())
        url = self._url.replace(PLACE, quote(number.removeprefix("+"), safe=""))
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status == _NOT_KNOWN:
                    return ""
                if answer.status != _OK:
                    raise LookupFailedError(f"status {answer.status}")
                body = await answer.content.read(ANSWER_BYTES_MAX + 1)
                while len(body) <= ANSWER_BYTES_MAX and not answer.content.at_eof():
                    body += await answer.content.read(ANSWER_BYTES_MAX + 1)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise LookupFailedError(f"{type(error).__name__}: {error}"[:200]) from error
        return self._carrier(body)

    def _carrier(self, body: bytes) -> str:
        if len(body) > ANSWER_BYTES_MAX:
            raise LookupFailedError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
        try:
            found: Any = json.loads(body)
        except (ValueError, RecursionError):
            raise LookupFailedError("an answer that is no JSON") from None
        for part in self._field:
            if not isinstance(found, dict):
                raise LookupFailedError(f"an answer without {'.'.join(self._field)}")
            found = found.get(part)
            if found is None:
                return ""
        if not isinstance(found, str):
            raise LookupFailedError(f"{'.'.join(self._field)} is no text")
        return found.strip()

    async def close(self) -> None:
        """Let every connection go."""
        if self._session is not None:
            await self._session.close()
