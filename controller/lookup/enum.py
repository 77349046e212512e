"""A look-up service over ENUM (RFC 6116): the number as a name of the DNS, its operator in a NAPTR record.

`+84967000111` is asked for as `1.1.1.0.0.0.7.6.9.4.8.e164.arpa`. Of the records, those of the service `E2U+pstn:tel`
count (RFC 4769), and in their `tel:` URI one parameter, `rn` (the routing number, RFC 4694) unless the settings say
another: `tel:+84967000111;npdi;rn=8404`. What it says is a spelling of the carrier: an alias in the table of carriers.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Final

from controller.lookup.dns import ANSWER_BYTES_MAX, MalformedError, Naptr, answer, question
from controller.lookup.service import LookupFailedError

SERVICES: Final = ("e2u+pstn:tel", "e2u+pstn:sip")
_ID_MAX: Final = 0x10000
_PARAMETER: Final = re.compile(r";\s*([A-Za-z0-9-]+)=([^;>]*)")


class EnumSource:
    """`lookup.service.Source` over DNS. Each question has a socket of its own, so a port nobody can guess."""

    def __init__(self, host: str, port: int, zone: str = "e164.arpa", field: str = "rn") -> None:
        self._server = (host, port)
        self._zone = zone
        self._field = field.casefold()

    async def ask(self, number: str) -> str:
        """The carrier of a number; LookupFailedError when the server does not answer as it should."""
        name = ".".join((*reversed(number.removeprefix("+")), self._zone))
        ident = secrets.randbelow(_ID_MAX)
        loop = asyncio.get_running_loop()
        try:
            transport, waiting = await loop.create_datagram_endpoint(
                lambda: _Waiting(ident, name), remote_addr=self._server
            )
        except OSError as error:
            raise LookupFailedError(f"the server cannot be reached: {error.strerror}") from error
        try:
            transport.sendto(question(ident, name))
            return carrier_of(await waiting.answered, self._field)
        finally:
            transport.close()

    async def close(self) -> None:
        """Nothing is kept between two questions."""


class _Waiting(asyncio.DatagramProtocol):
    """One question under way. A datagram that is no answer to it is passed over: the right one may still come."""

    def __init__(self, ident: int, name: str) -> None:
        self._ident = ident
        self._name = name
        self.answered: asyncio.Future[tuple[Naptr, ...]] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:  # noqa: ARG002 - the socket is connected
        if self.answered.done() or data[:2] != self._ident.to_bytes(2, "big"):
            return
        try:
            self.answered.set_result(answer(data[:ANSWER_BYTES_MAX], self._ident, self._name))
        except MalformedError as error:
            self.answered.set_exception(LookupFailedError(str(error)))

    def error_received(self, exc: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(LookupFailedError(f"the server cannot be reached: {exc}"))


def carrier_of(records: tuple[Naptr, ...], field: str) -> str:
    """What the first record with this parameter says, empty when none does."""
    for record in records:
        if record.flags.casefold() != "u" or record.services.casefold() not in SERVICES or not record.regexp:
            continue
        # delimiter, expression, delimiter, replacement, delimiter (RFC 3402): the replacement is the URI.
        parts = record.regexp.split(record.regexp[0])
        uri = parts[2] if len(parts) >= 4 else ""  # noqa: PLR2004 - see above
        for name, value in _PARAMETER.findall(uri):
            if name.casefold() == field and value.strip():
                return str(value).strip().removeprefix("+")
    return ""
